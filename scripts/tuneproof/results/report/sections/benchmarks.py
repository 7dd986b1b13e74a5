"""What the report shows of benchmarks: tasks by model, guards first, and the items that a model lost."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tuneproof.records.handovers import BENCHMARKS
from tuneproof.records.rows import Benchmark
from tuneproof.results.details.model import Details
from tuneproof.results.report.sections.shared_ends import without_shared_ends
from tuneproof.results.words.figures import gain_text, mean_text
from tuneproof.results.words.verdicts import row_verdict

MOST_ITEMS = 10  # of one task that a model lost; all of them stand in data/benchmarks
MOST_ITEMS_IN_ALL = 120
LONGEST_CHARACTERS = 700  # of a text on the page; a question is cut at its beginning, where examples may stand
Rows = dict[tuple[str, str, str], Benchmark]  # by criterion, task and document


@dataclass(frozen=True)
class TaskRow:
    """One task or group: what was measured how, and each model's mean, gain and what that means, in the run's order."""

    name: str
    metric: str
    items: int
    role: str
    cells: list[tuple[str, str, str]]


@dataclass(frozen=True)
class LostItem:
    """One item as it was asked, what was wanted, and what the baseline and the model said."""

    told: str  # of the prompt what the task's other items do not share
    prompt: str  # all of it
    wanted: str
    before: str
    after: str


@dataclass(frozen=True)
class Lost:
    """The items of one task that the baseline got right and a model did not: some of them, and how many there are.

    `of_items` are those that could be lost, in which the baseline has more than the lowest score of all its items.
    """

    model: str
    task: str
    count: int
    of_items: int
    items: list[LostItem]


def task_rows(models: Sequence[Details]) -> list[TaskRow]:
    """A row for each task, guards before what is claimed, and what decides nothing last."""
    order = {"guard": 0, "improves": 1, "shown": 2}
    criteria = models[0].run.criteria
    names = sorted(models[0].benchmarks, key=lambda name: order[criteria[name].role])
    return [task_row(name, models) for name in names]


def task_row(name: str, models: Sequence[Details]) -> TaskRow:
    """One task's row."""
    said = models[0].benchmarks[name]
    cells = []
    for details in models:
        one = details.criteria[name]
        verdict = "" if details.is_baseline else row_verdict(details, name)
        cells.append((mean_text(one), "" if one.gain is None else gain_text(one), verdict))
    words = {"guard": "guard", "improves": "claimed", "shown": "shown"}
    return TaskRow(name, said.metric, said.items, words[models[0].run.criteria[name].role], cells)


def lost_items(models: Sequence[Details]) -> list[Lost]:
    """What each model lost against the baseline, by task, in the table's order."""
    names = [row.name for row in task_rows(models)]
    if not names:
        return []
    run, found, room = models[0].run, list[Lost](), MOST_ITEMS_IN_ALL
    baseline = rows_by_item(run.baseline)
    for details in models:
        if details.is_baseline:
            continue
        own = rows_by_item(details.model)
        for name in names:
            lost = lost_of(name, details, own, baseline, min(MOST_ITEMS, room))
            room -= len(lost.items)
            found += [lost] if lost.count else []
    return found


def lost_of(name: str, details: Details, own: Rows, baseline: Rows, most: int) -> Lost:
    """What one model lost on one task, what fell farthest first."""
    metric = details.benchmarks[name].metric
    falls = list[tuple[float, int, Benchmark, Benchmark]]()
    scores = [
        score for key, row in baseline.items() if key[0] == name and (score := row.scores.get(metric)) is not None
    ]
    could = sum(score > min(scores) for score in scores)
    for key, row in own.items():
        before, after = baseline[key].scores.get(metric), row.scores.get(metric)
        if key[0] == name and before is not None and after is not None and after < before:
            falls.append((after - before, len(falls), row, baseline[key]))
    chosen = sorted(falls, key=lambda fall: fall[:2])[:most]
    told = questions_told(name, own, {row.task for _, _, row, _ in chosen})
    shown = [
        LostItem(
            told=end_of(told[row.task, row.id]), prompt=end_of(row.question), wanted=cut(row.target),
            before=cut(before.response), after=cut(row.response),
        )
        for _, _, row, before in chosen
    ]  # fmt: skip
    return Lost(details.model, name, len(falls), could, shown)


def questions_told(name: str, own: Rows, tasks: Collection[str]) -> dict[tuple[str, str], str]:
    """What tells the items of these tasks apart, by task and item."""
    found = dict[tuple[str, str], str]()
    for task in tasks:
        rows = [row for key, row in own.items() if key[:2] == (name, task)]
        told = without_shared_ends([row.question for row in rows])
        found |= {(task, row.id): text for row, text in zip(rows, told, strict=True)}
    return found


def rows_by_item(model: str) -> Rows:
    """A model's rows by criterion, task and document."""
    return {(row.criterion, row.task, row.id): row for row in BENCHMARKS.iterate(model)}


def cut(text: str) -> str:
    """A text of bearable length."""
    return text if len(text) <= LONGEST_CHARACTERS else f"{text[:LONGEST_CHARACTERS]}…"


def end_of(text: str) -> str:
    """The end of a text of any length."""
    return text if len(text) <= LONGEST_CHARACTERS else f"…{text[-LONGEST_CHARACTERS:]}"
