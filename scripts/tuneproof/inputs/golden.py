"""The graded answers by which a judge is admitted: read, and held to the rubric before anything is generated."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.common.places import local_path
from tuneproof.records.documents.admission import GoldenAnswer
from tuneproof.records.keys import content_key
from tuneproof.records.rows import World
from tuneproof.settings.evidence.admission import PEOPLE
from tuneproof.settings.evidence.judging import Criterion
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import EMBEDDED_GRADED_FILE, EMBEDDED_PART, EMBEDDED_QUESTIONS_FILE
from tuneproof.sources.tables import load_local_table

SETTING = "admission.questions"
SECOND = "second_"  # before a criterion's name: the column with another grader's grades
COLUMNS = ("id", "instruction", "reference", "answer")


def resolve_golden(params: Params, run: World) -> list[GoldenAnswer]:
    """Every graded answer; none where admission is off or goes by people's labels.

    Raises a UserError for a missing file or column, a grade that the scale does not have, and where the answers cannot
    give what `admission` asks for.
    """
    if not params.admission.from_file:
        return []
    where = str(params.admission.questions)
    rows = embedded_rows() if run == "embedded" else own_rows(where, params.judge.criteria)
    golden = [golden_answer(row, place, where, params.judge.criteria) for place, row in enumerate(rows, start=1)]
    require_askable(golden, where, params)
    return golden


def embedded_rows() -> Iterator[dict[str, Any]]:
    """The embedded world's graded answers to questions, but for those that its judge was fitted on."""
    questions = load_local_table(EMBEDDED_QUESTIONS_FILE, ["id", "instruction", "reference", "part"])
    held_out = {row["id"]: row for row in questions if row["part"] == EMBEDDED_PART}
    for row in load_local_table(EMBEDDED_GRADED_FILE, None):
        if row["id"] in held_out and not row["turn"]:
            yield held_out[row["id"]] | row


def own_rows(where: str, criteria: Mapping[str, Criterion]) -> list[dict[str, Any]]:
    """The rows of the user's file: the columns that must be there, and the grades that are."""
    wanted = ["id", "reference", *criteria, *(f"{SECOND}{name}" for name in criteria)]
    return load_local_table(local_path(where), ["instruction", "answer"], wanted=wanted)


def golden_answer(row: dict[str, Any], place: int, where: str, criteria: Mapping[str, Criterion]) -> GoldenAnswer:
    """One graded answer from its row. Without an id the question's text names it."""
    texts = {name: row.get(name) for name in COLUMNS}
    for name in ("instruction", "answer"):
        if not str(texts[name] or "").strip():
            raise UserError(f"{where}, row {place}", f"it has no {name}", "fill it in or remove the row")
    reference = texts["reference"]
    grades = {name: grade(row[name], name, place, where, criteria) for name in criteria if row.get(name) is not None}
    if not grades:
        raise UserError(f"{where}, row {place}", "no criterion of the judge is graded", f"grade {', '.join(criteria)}")
    second = {
        name: grade(row[f"{SECOND}{name}"], name, place, where, criteria)
        for name in grades
        if row.get(f"{SECOND}{name}") is not None
    }
    return GoldenAnswer(
        id=str(texts["id"] or content_key([texts["instruction"], reference])[:12]),
        instruction=str(texts["instruction"]),
        reference=str(reference) if reference is not None and str(reference).strip() else None,
        answer=str(texts["answer"]),
        grades=grades,
        second=second,
    )


def grade(value: object, name: str, place: int, where: str, criteria: Mapping[str, Criterion]) -> float:
    """A grade within its criterion's scale; a .csv file has it as a text."""
    low, high = criteria[name].lowest, criteria[name].highest
    try:
        number = float(str(value))
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        found = f"{name} is {one_line(value, 40)}, and its scale is {low:g} to {high:g}"
        raise UserError(f"{where}, row {place}", found, "correct the grade")
    return int(number) if number.is_integer() else number


def require_askable(golden: list[GoldenAnswer], where: str, params: Params) -> None:
    """Raises a UserError where the answers cannot give what a bar is about: it would be missed by every judge."""
    by_question: dict[str, list[GoldenAnswer]] = {}
    for one in golden:
        by_question.setdefault(one.id, []).append(one)
    pairs = any(one.grades != other.grades for same in by_question.values() for one in same for other in same)
    if params.admission.consistency is not None and params.compare.enabled and not pairs:
        remedy = "add some, or set admission.consistency: null"
        raise UserError(where, "no question has two answers with different grades, so none makes a pair", remedy)
    if params.admission.weighted_kappa == PEOPLE and not any(one.second for one in golden):
        remedy = f"add columns {SECOND}<criterion>, or set admission.weighted_kappa to a number"
        raise UserError(where, "no answer has the grades of a second grader", remedy)
