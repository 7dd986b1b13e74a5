"""What each source of scores says of each model, side by side: the judge, pairs, programs."""

from collections.abc import Sequence

from tuneproof.results.details.model import Details
from tuneproof.results.words.figures import NOTHING, plain_name
from tuneproof.results.words.trust import is_embedded
from tuneproof.results.words.verdicts import VERDICT_WORDS

SOURCE_WORDS = {"judge": "the judge", "compare": "pairs", "check": "programs", "benchmark": "benchmarks"}


def source_table(models: Sequence[Details]) -> tuple[list[str], list[list[str]]]:
    """A column per source with scores and a row per model that is compared; no rows where one source says it all."""
    compared = [details for details in models if not details.is_baseline]
    sources = [source for source in SOURCE_WORDS if any(says(details, source) != NOTHING for details in compared)]
    if is_embedded(models[0].run):  # its preferences are made of its scores
        sources = [source for source in sources if source != "compare"]
    if len(sources) < 2:
        return [], []
    header = ["model", *(SOURCE_WORDS[source] for source in sources)]
    return header, [[plain_name(details.model), *(says(details, source) for source in sources)] for details in compared]


def says(details: Details, source: str) -> str:
    """In what a model is better or worse by one source, each interval alone; `-` where the source has no scores."""
    if source == "compare":
        return VERDICT_WORDS[details.win_rate.verdict] if details.win_rate else NOTHING
    gains = {
        name: (one.gain_low, one.gain_high)
        for name, one in details.criteria.items()
        if details.run.criteria[name].source == source
    }
    if not gains:
        return NOTHING
    if set(gains) <= set(details.run.withheld):
        return VERDICT_WORDS["no verdict"]
    better = [plain_name(name) for name, (low, _) in gains.items() if low is not None and low > 0]
    worse = [plain_name(name) for name, (_, high) in gains.items() if high is not None and high < 0]
    parts = [f"{word} in {', '.join(names)}" for word, names in (("better", better), ("worse", worse)) if names]
    return "; ".join(parts) or VERDICT_WORDS["undecided"]


def sources_disagree(models: Sequence[Details]) -> list[str]:
    """The models of which one source says better and another one worse."""
    _, rows = source_table(models)
    return [
        name for name, *said in rows if any("better" in one for one in said) and any("worse" in one for one in said)
    ]
