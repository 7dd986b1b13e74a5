"""The answers that changed most, as the page of changes shows them: word by word, and why they were scored so."""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tuneproof.records.handovers import CHECKS
from tuneproof.results.gate.changes import Change
from tuneproof.results.gate.overview import Texts, texts_of
from tuneproof.results.gate.text import changed_criteria, forms_of, scores_text
from tuneproof.results.report.links import browser_link
from tuneproof.results.report.sections.reasons import LONGEST_REASON, Said, reasons
from tuneproof.results.report.showing import one_line
from tuneproof.results.words.figures import plain_name

LONGEST_TEXT = 6_000  # characters of an answer that are shown
Part = tuple[str, str]  # "same", "gone" or "new", and the text
Reasons = Mapping[tuple[str, str], Said]  # by question and criterion


def shown_changes(changes: Sequence[Change], other: Path, has_report: bool) -> list[dict[str, object]]:
    """The answers of both runs in their order; `other` is the folder of the other run's files."""
    forms = forms_of(changes)
    models = dict.fromkeys(change.model for change in changes)
    said = {model: reasons_of(model, [one for one in changes if one.model == model], other) for model in models}
    texts = {model: (texts_of(model, other), texts_of(model, Path())) for model in models}
    return [
        shown_change(change, texts[change.model], has_report, forms, said[change.model][change.question.id])
        for change in changes
    ]


def reasons_of(model: str, changes: Sequence[Change], other: Path) -> dict[str, tuple[Reasons, Reasons]]:
    """By question, why one model's answers there and here were scored so.

    Of several samples and turns, where the score fell the highest one there and the lowest one here, and the other way
    round where it rose.
    """
    found: dict[str, tuple[Reasons, Reasons]] = {}
    for sign in (1, -1):
        wanted = {one.question.id for one in changes if (one.score_change < 0) == (sign == 1)}
        sides = said_in(other, model, wanted, -sign), said_in(Path(), model, wanted, sign)
        found |= dict.fromkeys(wanted, sides)
    return found


def said_in(root: Path, model: str, wanted: Collection[str], sign: int) -> Reasons:
    """What was said in one run, by the judge and, where there are any, by programs."""
    return reasons(model, wanted, sign, checked=(root / CHECKS.path(model)).is_file(), root=root)


def shown_change(
    change: Change,
    texts: tuple[Texts, Texts],
    has_report: bool,
    forms: Mapping[str, str],
    said: tuple[Reasons, Reasons],
) -> dict[str, object]:
    """One answer of both runs, with the words that are gone and new marked, and where this run's report has it.

    `texts` are the model's, and `said` is why this answer was scored so, each of that run and of this one.
    """
    question = change.question.id
    before, now = ("\n\n".join(of_run[question])[:LONGEST_TEXT] for of_run in texts)
    parts = list(word_changes(before, now))
    there, here = said
    names = changed_criteria(change, forms)
    return {
        "model": change.model,
        "question": change.question,
        "scores": scores_text(change, forms),
        "likeness": f"{change.likeness:.0%}",
        "way": "better" if change.score_change > 0 else "worse" if change.score_change < 0 else "",
        "link": f"index.html{browser_link(question=question)}" if has_report else "",
        "before": [(kind, text) for kind, text in parts if kind != "new"],
        "now": [(kind, text) for kind, text in parts if kind != "gone"],
        "why_before": why(there, question, names),
        "why_now": why(here, question, names),
    }


def why(said: Reasons, question: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """What was said of one answer, by criterion; without those of which nothing was."""
    found = {name: one for name in names if (one := said.get((question, name)))}
    return [(plain_name(name), one_line(one.reason, LONGEST_REASON)) for name, one in found.items() if one.reason]


def word_changes(before: str, now: str) -> Iterator[Part]:
    """The words of two texts in order: those of both, those that are gone, those that are new."""
    old, fresh = split_words(before), split_words(now)
    changes = difflib.SequenceMatcher(None, old, fresh, autojunk=False).get_opcodes()
    for kind, start, end, other_start, other_end in changes:
        if kind == "equal":
            yield "same", "".join(old[start:end])
            continue
        if end > start:
            yield "gone", "".join(old[start:end])
        if other_end > other_start:
            yield "new", "".join(fresh[other_start:other_end])


def split_words(text: str) -> list[str]:
    """Words with the white space after them, so that together they are the text."""
    found, start = [], 0
    for place in range(1, len(text)):
        if text[place - 1].isspace() and not text[place].isspace():
            found.append(text[start:place])
            start = place
    return [*found, text[start:]]
