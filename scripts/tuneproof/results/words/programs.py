"""What the checks of a run look at and what its benchmarks measure, in words."""

from collections.abc import Mapping, Sequence

from tuneproof.records.documents.benchmark_summary import TaskSummary
from tuneproof.results.details.criteria import CriterionDetails
from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import listed, plain_name
from tuneproof.results.words.trust import is_embedded
from tuneproof.settings.evidence.checks import Checks

WITHIN_LIMITS = "its length is within the limits"
SAYS_TEXTS = "it says, or leaves out, given texts"
BEGINS_OR_ENDS = "it begins or ends with a given text"
SHARES_WORDS = "how many words it shares with the reference"
LOOKS_AT = {  # of an answer, by the kind of a check
    "json": "it is one JSON document as asked for",
    "regex": "it matches a pattern",
    "contains": SAYS_TEXTS, "contains_any": SAYS_TEXTS, "not_contains": SAYS_TEXTS,
    "starts_with": BEGINS_OR_ENDS, "ends_with": BEGINS_OR_ENDS,
    "words": WITHIN_LIMITS, "sentences": WITHIN_LIMITS, "characters": WITHIN_LIMITS,
    "language": "it is in the language asked for",
    "python_parses": "it is Python that parses",
    "finish": "the model ended it itself, and it was not cut off",
    "repetition": "it falls into no loop of the same words",
    "refusal": "it does not begin by refusing",
    "exact_match": "it is the reference",
    "number_match": "it names the reference's number",
    "token_f1": SHARES_WORDS, "rouge1": SHARES_WORDS, "rouge2": SHARES_WORDS, "rougeL": SHARES_WORDS,
    "bleu": SHARES_WORDS, "chrf": SHARES_WORDS,
    "ifeval": "it follows the instructions that stand with the question",
    "of_question": "the share passed of the checks that stand with the question",
    "python": "what a function of the project finds",
}  # fmt: skip
EMBEDDED_TASKS = {
    "best_answer": (
        "each item is a question with four graded answers, and is right where the model gives the best of them the "
        "highest probability for its length (best by the grades in accuracy and style together)"
    )
}
RIGHT, FOLLOWED = "the share of items answered right", "every instruction in them is followed"
METRICS = {  # of the harnesses, by their names without a filter
    "acc": f"{RIGHT}: of the choices the right one is the likeliest",
    "acc_norm": f"{RIGHT}: of the choices the right one is the likeliest for its length",
    "mc1": f"{RIGHT}: of the choices the right one is the likeliest",
    "mc2": "the share of probability that the true choices have together",
    "exact_match": f"{RIGHT}: what the answer comes to is the wanted text itself",
    "f1": "how many words the answer shares with the wanted one",
    "prompt_level_strict_acc": f"the share of questions where {FOLLOWED}",
    "prompt_level_loose_acc": f"the share of questions where {FOLLOWED}, leaving out what may stand around the answer",
    "bits_per_byte": "how many bits a byte of the text takes; less is better, so its negative stands here",
}  # fmt: skip


def programs_note(run: RunDetails, checks: Checks) -> str:
    """What each check of the run looks at, and what its figure does not mean; empty without checks."""
    known = {name: check for name, check in checks.root.items() if name in run.criteria}
    if not known:
        return ""
    said = "; ".join(f"{plain_name(name)}: {LOOKS_AT[check.kind]}" for name, check in known.items())
    cautions: dict[str, list[str]] = {}
    for name, check in known.items():
        if check.caution:
            cautions.setdefault(check.caution, []).append(plain_name(name))
    beware = "".join(f" Of {listed(names)}: {caution}." for caution, names in cautions.items())
    return f"What programs look at in an answer: {said}.{beware}"


def refusals_note(checks: Checks) -> str:
    """That nothing counts the models' own refusals; empty where a check does."""
    if any(check.kind == "refusal" for check in checks.root.values()):
        return ""
    return "Refusals of the models themselves are not counted; a check of the kind refusal can."


def benchmarks_note(run: RunDetails, said: Mapping[str, TaskSummary]) -> str:
    """What each benchmark asks and what its figure is; empty without benchmarks."""
    if not said:
        return ""
    tasks = "; ".join(f"{plain_name(name)}: {task_clause(run, name, one)}" for name, one in said.items())
    used = dict.fromkeys(name for one in said.values() if (name := plain_metric(one.metric)) in METRICS)
    metrics = "; ".join(f"{name} is {METRICS[name]}" for name in used)
    return f"What benchmarks measure, item by item: {tasks}." + (f" {metrics}." if metrics else "")


def chance_sentences(models: Sequence[Details]) -> list[str]:
    """Of each benchmark of choices, what guessing gives and which models are shown to be above it, or below."""
    found = []
    for name, said in models[0].benchmarks.items():
        if said.chance is None:
            continue
        places: dict[str, list[str]] = {}
        for details in models:
            places.setdefault(beside_chance(details.criteria[name], said.chance), []).append(plain_name(details.model))
        clauses = "; ".join(
            f"{listed(names)} {'is' if len(names) == 1 else 'are'} {place}" for place, names in places.items()
        )
        found.append(f"Guessing gets {said.chance:.2f} in {plain_name(name)}: {clauses}.")
    return found


def beside_chance(one: CriterionDetails, chance: float) -> str:
    """Where a mean lies beside what guessing gives, by its interval."""
    if one.low is not None and one.low > chance:
        return "above it"
    if one.high is not None and one.high < chance:
        return "below it, so what it prefers is wrong more often than by chance"
    return "not shown to differ from it"


def task_clause(run: RunDetails, name: str, said: TaskSummary) -> str:
    """One benchmark: what is asked where that is known here, else whose it is; its items and its metric."""
    asked = EMBEDDED_TASKS.get(name) if is_embedded(run) else None
    figure = f"{said.items:,} items, by {plain_name(said.metric)}"
    return f"{asked} ({figure})" if asked else f"{figure} of the task {plain_name(said.task)}"


def plain_metric(metric: str) -> str:
    """A metric's name without its filter, and without the minus of one of which less is better."""
    return metric.partition(",")[0].removeprefix("-")
