"""Whether the judge may be trusted, in words: one line for the first screen of report, summary and terminal."""

import re
from collections.abc import Sequence

from tuneproof.records.documents.admission import AdmissionResult, Figure, Orders
from tuneproof.results.details.model import Details
from tuneproof.results.details.run import RunDetails
from tuneproof.results.words.figures import listed, plain_name

BAR = re.compile(r"(?:admission|judge)\.\w+ [\w.]*\w")
# Words for a kappa from each value on: Landis and Koch, The Measurement of Observer Agreement for Categorical Data,
# Biometrics 33 (1977), who call the divisions arbitrary.
AGREEMENT_WORDS = {0.81: "almost perfect", 0.61: "substantial", 0.41: "moderate", 0.21: "fair", 0.0: "slight"}
BELOW_CHANCE = "poor"


def judge_sentence(models: Sequence[Details]) -> str:
    """What is known of the judge: with people or golden answers, with itself, over both orders against chance."""
    return " ".join(judge_sentences(models))


def judge_sentences(models: Sequence[Details]) -> list[str]:
    """The same in sentences: first what came of asking it, then in figures, then what is to be doubted."""
    run = models[0].run
    parts = [plain_verdict(run), admitted_clause(run)] if run.admission.asked else [unknown_clause(run)]
    parts += [f"{change[:1].upper()}{change[1:]}." for change in run.admission.drift]
    if other := answered_otherwise(models):
        parts.append(f"It answered as {', '.join(map(plain_name, other))}, which is not what was admitted.")
    if run.at_chance:
        parts.append(f"{no_verdict(run)}.")
    return parts


def needs_caution(models: Sequence[Details]) -> bool:
    """Whether that line is a warning."""
    run = models[0].run
    trusted = run.admission.admitted and not run.admission.drift and not answered_otherwise(models)
    return bool(run.at_chance) or (run.admission.asked and not trusted)


def judge_name(run: RunDetails) -> str:
    """The judge, or all of a panel; with what it is where it comes with the project."""
    names = ", ".join(plain_name(one["model"]) for one in run.judge.judges)
    return f"{names} (a small statistical model of words, which understands nothing)" if is_embedded(run) else names


def is_embedded(run: RunDetails) -> bool:
    """Whether the judge is the one that comes with the project."""
    return run.judge.backend == "embedded"


def unknown_clause(run: RunDetails) -> str:
    """What can be said without admission."""
    said = (
        f"Nothing says yet whether the judge {judge_name(run)} may be trusted: it was held against no person's labels "
        "and no golden answers (admission)."
    )
    return f"{said} {orders_clause(run.orders, 'It gives')}; 90% interval." if run.orders else said


def plain_verdict(run: RunDetails) -> str:
    """What came of asking the judge, without an interval; no praise of one that is no better than chance anywhere."""
    passed = "passed what was asked of it" if run.admission.admitted else "did not pass what was asked of it"
    if run.at_chance:
        doubt = f"it is not shown to be better than chance in {' and '.join(run.at_chance)}"
        return f"The judge {judge_name(run)} {passed}{', but' if run.admission.admitted else ':'} {doubt}."
    found = {name: one.agreement for name, one in run.admission.criteria.items() if one.agreement}
    needed = bar_clause(run.admission, "weighted_kappa")
    words = [
        f"{agreement_word(one.value)} in {plain_name(name)} (weighted kappa {one.value:.2f})"
        for name, one in found.items()
    ]
    with_whom = (
        f": its agreement with {run.admission.source} is {listed(words)}{f'; {needed}' if needed else ''}"
        if words
        else ""
    )
    return f"The judge {judge_name(run)} {passed}{with_whom}."


def agreement_word(kappa: float) -> str:
    """A kappa in a word, as it is shown with two decimals.

    >>> agreement_word(0.73), agreement_word(0.6), agreement_word(-0.1)
    ('substantial', 'moderate', 'poor')
    """
    return next((word for least, word in AGREEMENT_WORDS.items() if round(kappa, 2) >= least), BELOW_CHANCE)


def admitted_clause(run: RunDetails) -> str:
    """What admission showed, in figures."""
    admission = run.admission
    state = "admitted" if admission.admitted else f"not admitted ({missed_bars(admission)})"
    agreement = f"weighted kappa with {admission.source} {kappas(admission, 'agreement')}"
    figures = [agreement + in_brackets(bar_clause(admission, "weighted_kappa"))]
    if any(one.repeat for one in admission.criteria.values()):
        again = f"with itself, asked again, {kappas(admission, 'repeat')}"
        figures.append(again + in_brackets(bar_clause(admission, "repeat")))
    if orders := admission.orders or run.orders:
        asked = admission if admission.orders else AdmissionResult()  # the run's own pairs are held against no bar
        figures.append(orders_clause(orders, "it gives", bar_clause(asked, "consistency")))
    return f"It is {state}: {'; '.join(figures)}; 90% intervals."


def bar_clause(admission: AdmissionResult, name: str) -> str:
    """What a figure must reach; empty where it is held against nothing."""
    bar = admission.bars.get(name)
    if bar is None:
        return ""
    if bar == "people":
        return "as much as two graders with each other is needed"
    return f"{bar:.0%} is needed" if name == "consistency" else f"{bar:.4g} is needed"


def in_brackets(clause: str) -> str:
    """A clause in brackets after a space; empty where it is."""
    return f" ({clause})" if clause else ""


def reading_note(run: RunDetails) -> str:
    """How to read that line: what a kappa and its words are, what golden answers are, why People's figures differ."""
    said = [
        "A kappa is 0 where the judge agrees no more than chance would, and 1 where it always agrees; its words are "
        "those of Landis and Koch (1977), a convention and no bar."
    ]
    if run.admission.asked and run.admission.source == "golden answers":
        said.append(f"Golden answers are {run.admission.answers} answers that were graded before the run.")
        if run.agreement and run.agreement.source:
            said.append("The table of agreement (People) rests on other answers, so its figures are not the same.")
    if is_embedded(run):
        said.append(
            "It says the same of an answer each time and knows no order, so it agrees with itself by its making."
        )
    return " ".join(said)


def missed_bars(admission: AdmissionResult) -> str:
    """The bars that were missed, each once, as `admission` names them; the whole clauses stand in its file."""
    bars = dict.fromkeys(bar for clause in admission.refused for bar in BAR.findall(clause))
    return f"missed: {', '.join(bars)}" if bars else "; ".join(admission.refused)


def kappas(admission: AdmissionResult, which: str) -> str:
    """One figure on every criterion: `0.62 [0.48, 0.74] in accuracy`."""
    found = {name: getattr(one, which) for name, one in admission.criteria.items()}
    return ", ".join(f"{kappa_text(figure)} in {plain_name(name)}" for name, figure in found.items())


def kappa_text(figure: Figure | None) -> str:
    """A kappa with its interval."""
    if figure is None:
        return "undefined"
    limits = "" if figure.low is None or figure.high is None else f" [{figure.low:.2f}, {figure.high:.2f}]"
    return f"{figure.value:.2f}{limits}"


def orders_clause(orders: Orders, subject: str, needed: str = "") -> str:
    """How often both orders of a pair give the same preference, beside what chance gives and what is needed."""
    figure = orders.consistency
    limits = "" if figure.low is None or figure.high is None else f" [{figure.low:.0%}, {figure.high:.0%}]"
    same = f"{subject} the same preference in both orders in {figure.value:.0%}{limits} of {orders.pairs:,} pairs"
    return same + in_brackets(", ".join(filter(None, [f"chance {orders.by_chance:.0%}", needed])))


def no_verdict(run: RunDetails) -> str:
    """That nothing may be concluded; empty where the judge is better than chance in all that is known."""
    if not run.at_chance:
        return ""
    return f"No verdict rests on this judge, which is no better than chance in {' and '.join(run.at_chance)}"


def answered_otherwise(models: Sequence[Details]) -> list[str]:
    """The models that answered as the judge in this run, and were not the ones that were admitted."""
    known = models[0].run.admission.answered_as
    found = {name for details in models for name in details.judge_models}
    return sorted(found - set(known)) if models[0].run.admission.asked else []
