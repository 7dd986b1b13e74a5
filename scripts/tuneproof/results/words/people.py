"""What people say, in words: of the models, and of the judge; shared by the terminal, the summary and the report."""

from collections.abc import Sequence

from tuneproof.records.documents.agreement import AmongPeople, Figure, JudgeBesidePeople
from tuneproof.results.details.criteria import PeopleScores
from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import NOTHING, decimals, interval_text, listed, plain_name, share_text
from tuneproof.results.words.verdicts import VERDICT_WORDS

BY_JUDGE = {
    "better": "better than {baseline}",
    "worse": "worse than {baseline}",
    "mixed": "better than {baseline} in one respect and worse in another",
    "undecided": "undecided, not shown to differ from {baseline}",
}
SOURCES = {
    "labels": "random labels of this run's answers",
    "graded": (
        "answers that the project's authors wrote and graded twice and the judge never saw (none is a model's of this "
        "run, and they are more than the golden answers of admission, so that the figures differ)"
    ),
}


def disagreement_sentence(details: Details) -> str:
    """Where people's units and the judge's own scores give different verdicts; empty where they do not."""
    both = details.people
    if both is None or not both.disagree:
        return ""
    baseline = plain_name(details.run.baseline)
    judge, people = (BY_JUDGE[verdict].format(baseline=baseline) for verdict in (both.judge, both.people))
    return (
        f"The verdicts of judge and people differ on {plain_name(details.model)}: by the judge's scores it is {judge}, "
        f"by people's it is {people}."
    )


def people_sentence(details: Details) -> str:
    """One model in people's units, or what is missing; empty where nobody rated and the judge decides."""
    clauses = [people_clause(name, one.people) for name, one in details.criteria.items() if one.people]
    if details.win_rate and details.win_rate.people and "win_rate" not in details.criteria:
        clauses.append(rate_clause(details.win_rate.people))
    return f"{plain_name(details.model)} by people: {'; '.join(clauses)}." if clauses else ""


def people_clause(name: str, scores: PeopleScores) -> str:
    """One criterion in people's units with what they rest on, or the raw figures and how many labels are missing."""
    named = plain_name(name)
    if scores.mean is None and scores.gain is None:
        return f"{named} {raw_text(scores)}"
    parts = []
    if scores.mean is not None:
        parts.append(f"{interval_text(scores.mean, scores.low, scores.high)}, {support(scores)}")
    if scores.gain is not None:
        gain = interval_text(scores.gain, scores.gain_low, scores.gain_high, signed=True)
        told = f", {VERDICT_WORDS[scores.verdict]}" if scores.verdict not in (None, "not tested") else ""
        parts.append(f"gain {gain}{told}")
    elif scores.gain_labels is not None and scores.missing:
        parts.append(f"gain unknown: {scores.missing} questions labelled in both are missing")
    return f"{named} {', '.join(parts)}"


def rate_clause(rate: PeopleScores) -> str:
    """The win rate in people's units."""
    if rate.mean is None:
        return f"win rate {raw_text(rate)}"
    return f"win rate {interval_text(rate.mean, rate.low, rate.high)}, {support(rate)}"


def raw_text(scores: PeopleScores) -> str:
    """The raw figures of too few labels."""
    missing = f"{scores.missing} of {scores.needed} labelled questions are missing"
    if not scores.labels:
        return missing
    return f"{decimals(scores.people_mean)} where the judge gives {decimals(scores.judge_mean)} ({missing})"


def support(scores: PeopleScores) -> str:
    """What an estimate rests on."""
    return f"from {scores.labels} labels, lambda {decimals(scores.weight)}, the judge worth {scores.worth} more labels"


def missing_sentence(run: RunDetails) -> str:
    """How many labels are missing until people's labels correct scores, and whether the run has questions enough.

    Empty where none is missing, or agree has not run.
    """
    missing = {model: count for model, count in run.agreement.labels.missing.items() if count} if run.agreement else {}
    if not missing:
        return ""
    counts = set(missing.values())
    if len(missing) == len(run.models) and len(counts) == 1:
        named = f"labels on {counts.pop()} random questions of every model"
    else:
        named = f"labels on {listed([f'{n} random questions of {plain_name(name)}' for name, n in missing.items()])}"
    if run.questions < max(missing.values()):
        return f"No labels of people correct the scores: that takes {named}, and this run has only {run.questions}."
    return f"No labels of people correct the scores yet: {named} are missing; scripts/annotate.py asks for them."


def agreement_note(run: RunDetails) -> str:
    """Whose ratings the table of agreement rests on; empty where nobody rated."""
    found = run.agreement
    if found is None or found.source is None:
        return ""
    gone = found.labels.no_longer_here
    rest = f" {gone} random labels are of answers that this run no longer has." if gone else ""
    return (
        f"Agreement on {SOURCES[found.source]}: {found.rated:,} answers to {found.questions:,} questions, rated by "
        f"{', '.join(map(plain_name, found.raters))}. Kappa and alpha are 0 by chance and 1 where all agree; the judge "
        "stands beside each person alone, as people stand beside each other. An AUC is the chance that the judge "
        "scores an answer of that step or above higher than one below it (0.5 by chance); bias is the judge's score "
        f"less people's, in points. 95% intervals over questions.{rest}"
    )


def agreement_table(run: RunDetails) -> tuple[list[str], list[list[str]]]:
    """How far people agree with each other and the judge with people; no rows where nobody rated."""
    found = run.agreement
    header = ["criterion", "who", "weighted kappa", "nominal kappa", "same score", "alpha, or AUC", "bias"]
    if found is None:
        return header, []
    rows = []
    for name, one in found.criteria.items():
        rows += [people_row(plain_name(name), one.people)] if one.people else []
        rows += [judge_row(plain_name(name), one.judge)] if one.judge else []
    if found.pairs:
        rows += [people_row("pairs", found.pairs.people)] if found.pairs.people else []
        kappa, same = figure_text(found.pairs.nominal_kappa), share_figure(found.pairs.share_equal)
        rows.append(["pairs", "judge with people", NOTHING, kappa, same, NOTHING, NOTHING])
    return header, rows


def people_row(name: str, people: AmongPeople) -> list[str]:
    """People with each other."""
    kappas = [figure_text(people.weighted_kappa), figure_text(people.nominal_kappa)]
    alpha = f"alpha {figure_text(people.krippendorff_alpha)}"
    return [name, "people with each other", *kappas, share_figure(people.share_equal), alpha, NOTHING]


def judge_row(name: str, judge: JudgeBesidePeople) -> list[str]:
    """The judge with people."""
    kappas = [figure_text(judge.weighted_kappa), figure_text(judge.nominal_kappa)]
    areas = "; ".join(f"AUC {step}: {figure_text(area)}" for step, area in judge.area_under_curve.items())
    bias = figure_text(judge.bias, signed=True)
    return [name, "judge with people", *kappas, share_figure(judge.share_equal), areas or NOTHING, bias]


def figure_text(figure: Figure | None, signed: bool = False) -> str:
    """A figure with its interval: `0.68 [0.60, 0.76]`."""
    if figure is None:
        return NOTHING
    sign = "+" if signed else ""
    if figure.low is None or figure.high is None:
        return f"{figure.value:{sign}.2f}"
    return f"{figure.value:{sign}.2f} [{figure.low:{sign}.2f}, {figure.high:{sign}.2f}]"


def share_figure(figure: Figure | None) -> str:
    """A share with its interval, in per cent."""
    if figure is None:
        return NOTHING
    if figure.low is None or figure.high is None:
        return share_text(figure.value)
    return f"{share_text(figure.value)} [{figure.low:.0%}, {figure.high:.0%}]"


def first_sentences(models: Sequence[Details]) -> list[str]:
    """What must be said before all else: where people and the judge disagree."""
    return [text for text in map(disagreement_sentence, models) if text]


def people_sentences(models: Sequence[Details]) -> list[str]:
    """Every model in people's units, and what is missing."""
    return [text for text in [*map(people_sentence, models), missing_sentence(models[0].run)] if text]
