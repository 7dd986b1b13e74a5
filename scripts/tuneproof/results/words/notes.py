"""What belongs to a whole run, in words: what kind it is, how to read its intervals, its panel, its benchmarks."""

from collections.abc import Iterator, Sequence

from tuneproof.results.details.model import Details, PanelDetails, WinRateDetails
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import (
    decimals,
    equal_length_text,
    length_explains_nothing,
    plain_name,
    share_text,
)
from tuneproof.results.words.trust import is_embedded
from tuneproof.results.words.verdicts import UNDECIDED
from tuneproof.settings.evidence.decision import WIN_RATE

RUN_KINDS = {"real": "real run", "dummy": "rehearsal", "embedded": "demonstration"}
RUN_NOTES = {
    "real": "",
    "dummy": "Rehearsal: only the first questions were asked, so this shows that the pipeline runs and nothing more.",
    "embedded": (
        "Demonstration: small models taught these very questions, and a small judge; "
        "this shows the pipeline, no model's ability."
    ),
}


def run_note(run: RunDetails) -> str:
    """What a reader must know of a rehearsal or demonstration first; empty for a real run."""
    return RUN_NOTES[run.run]


def panel_sentence(details: Details) -> str:
    """What each judge of a panel gave one model, and how far they agree; empty for a single judge."""
    if not details.panel:
        return ""
    clauses = "; ".join(panel_clause(name, one) for name, one in details.panel.items())
    return f"The judges on {plain_name(details.model)}: {clauses}."


def panel_clause(name: str, panel: PanelDetails) -> str:
    """The judges' means on one criterion, and their agreement where two of them scored the same answers."""
    means = ", ".join(f"{plain_name(judge)} {decimals(one.mean)}" for judge, one in panel.judges.items())
    found = f"{plain_name(name)} {means}"
    if panel.spread is None or panel.exact_agreement is None:
        return found
    return (
        f"{found} (mean spread {panel.spread:.2f}, the same score on {share_text(panel.exact_agreement)}, "
        f"weighted kappa {decimals(panel.weighted_kappa)})"
    )


def family_note(run: RunDetails) -> str:
    """How to read the intervals."""
    confidence = f"{100 * (1 - run.alpha):.4g}%"
    if run.in_units_of == "people":
        return (
            "In people's units where there are labels enough, by random labels and the judge's scores (PPI++). "
            f"Intervals of means hold at {confidence} each; {family_clause(run, confidence)}. "
            f"A gain is the mean difference to {plain_name(run.baseline)}."
        )
    return (
        f"Intervals of means hold at {confidence} each; {family_clause(run, confidence)}. "
        f"A gain is the mean paired difference to {plain_name(run.baseline)} "
        "over the questions scored in both, so it is not always the difference of the means; each figure is rounded by "
        "itself. Its interval reaches as far as a few questions that fall to the end of the scale, and of which none "
        "was drawn, could move it, so it may be lopsided."
    )


def reasons_note(run: RunDetails) -> str:
    """That the reasons of a trained evaluator are no arguments; empty where all are those of a judge that writes."""
    trained = [plain_name(name) for name in run.judge.evaluators or ()]
    if run.judge.backend != "embedded" and not trained:
        return ""
    of = "" if run.judge.backend == "embedded" or len(trained) == len(run.rubric) else f" in {' and '.join(trained)}"
    return (
        f"The reasons{of} name what weighed most in a small statistical model of words: what it counted, and no "
        "argument."
    )


def cautions(models: Sequence[Details]) -> list[tuple[str, list[str]]]:
    """What to know before trusting intervals: each warning once, with a line for each model that it is about."""
    about: dict[str, dict[str, dict[str, None]]] = {}  # by warning and model, what it is about, each once
    for details in models:
        for what, text in cautioned(details):
            found, _, warning = text.rpartition(": ")
            case = f"{what} ({found})" if found else what
            about.setdefault(warning, {}).setdefault(plain_name(details.model), {})[case] = None
    return [
        (f"{warning[0].upper()}{warning[1:]}.", [f"{model}: {'; '.join(cases)}." for model, cases in of_models.items()])
        for warning, of_models in about.items()
    ]


def cautioned(details: Details) -> Iterator[tuple[str, str]]:
    """The intervals of one model that call for caution, each with why; not a length that explains nothing."""
    for name, one in details.criteria.items():
        for what, text in (("mean", one.caution), ("gain", one.gain_caution)):
            if text:
                yield f"{what} in {plain_name(name)}", text
    rate = details.win_rate
    if rate and rate.caution:
        yield "win rate", rate.caution
    if rate and rate.length_controlled_caution and not length_explains_nothing(rate):
        yield "win rate at equal length", rate.length_controlled_caution


def counting_note(run: RunDetails) -> str:
    """From which difference on a question counts as improved or worse."""
    sizes = {plain_name(name): run.criteria[name].counts_from for name in run.deciding}
    halves = [f"{size:g} in {name}" for name, size in sizes.items() if size]
    rest = " By programs, pairs and benchmarks any difference counts." if len(halves) < len(sizes) else ""
    return (
        f"A question counts as improved or worse from half a step of the judge's scale on ({', '.join(halves)}); less "
        f"lies nearer to no change and counts as the same.{rest}"
    )


def family_clause(run: RunDetails, confidence: str) -> str:
    """How the intervals of gains hold."""
    claimed = [plain_name(name) for name in run.claimed]
    rest = "" if len(claimed) == len(run.criteria) else "; other gains' hold alone, and no verdict rests on them"
    if run.plan and run.plan.in_order:
        share = f"{100 * (1 - run.alpha / max(len(run.models) - 1, 1)):.4g}%"
        return f"those of gains in {', '.join(claimed)} at {share} each, tested in this order as long as each improves"
    named = "all models and criteria" if not rest else f"all models in {' and '.join(claimed)}"
    return f"those of gains hold together at {confidence}, for {named}{rest}"


def win_rate_note(models: Sequence[Details]) -> str:
    """What the interval of a win rate is, the same wherever it stands; empty without one."""
    run, rates = models[0].run, [details.win_rate for details in models if details.win_rate]
    if not rates:
        return ""
    each, together = (f"{100 * (1 - level):.4g}%" for level in (rates[0].level, run.alpha))
    compared = len(run.models) - 1
    held = f", so that those of all {compared} models hold together at {together}" if compared > 1 else ""
    family = "they are a family of their own" if compared > 1 else "it stands alone"
    besides = " Its gain over one half, by which the plan decides, is tested among the gains."
    same = " This judge prefers the answer that it gives the higher scores, so a win rate is no evidence beside them."
    return (
        f"The interval of a win rate is the same on the cards, under Scores and under Charts: at {each}{held}; "
        f"{family} beside the gains.{besides if WIN_RATE in run.claimed else ''}{same if is_embedded(run) else ''}"
    )


def rate_clauses(run: RunDetails, rate: WinRateDetails) -> str:
    """What stands below a win rate on a card: its level, and the rate at equal length, or why it is no evidence."""
    besides = "by this judge's scores, so no evidence beside them" if is_embedded(run) else equal_length_text(rate)
    return "; ".join(filter(None, [rate_level(run, rate), besides]))


def rate_level(run: RunDetails, rate: WinRateDetails) -> str:
    """The level of a win rate's interval, where that is not the plan's."""
    return "" if rate.level == run.alpha else f"interval at {100 * (1 - rate.level):.4g}%"


def benchmark_note(models: Sequence[Details]) -> str:
    """One line on the benchmarks: in which each model gained or lost; empty where there are none."""
    asked = models[0].benchmarks
    if not asked:
        return ""
    parts = []
    for details in models:
        gains = {name: (details.criteria[name].gain_low, details.criteria[name].gain_high) for name in asked}
        better = [name for name, (low, _) in gains.items() if low is not None and low > 0]
        worse = [name for name, (_, high) in gains.items() if high is not None and high < 0]
        said = [f"{word} in {', '.join(names)}" for word, names in (("better", better), ("worse", worse)) if names]
        if not details.is_baseline:
            parts.append(f"{plain_name(details.model)} {' and '.join(said) or UNDECIDED}")
    items = sum(one.items for one in asked.values())
    tasks = "1 task" if len(asked) == 1 else f"{len(asked)} tasks"
    return f"Benchmarks ({tasks}, {items:,} items, each interval alone): {'; '.join(parts)}."
