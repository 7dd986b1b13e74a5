"""What the checks of a run look at, in words."""

from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import listed, plain_name
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
