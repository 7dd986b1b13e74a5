"""What aggregate refuses, in one line and with everything left as it was."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.made_up.aggregated_run import change_judgements, every_file
from tests.running import run_here
from tuneproof.records.handovers import ANSWERS, JUDGEMENTS
from tuneproof.records.rows import Judgement


def drop_last(place: int, row: Judgement) -> Judgement | None:
    return row if place < 59 else None


def swap_id(place: int, row: Judgement) -> Judgement:
    return row.model_copy(update={"id": "another"}) if place == 3 else row


def other_rubric(place: int, row: Judgement) -> Judgement:
    return row.model_copy(update={"scores": {"accuracy": 1}}) if row.scores else row


def off_the_scale(place: int, row: Judgement) -> Judgement:
    return row.model_copy(update={"scores": {"accuracy": 7, "style": 1}}) if row.scores else row


def between_the_steps(place: int, row: Judgement) -> Judgement:
    return row.model_copy(update={"scores": {"accuracy": 2.5, "style": 1}}) if row.scores else row


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (between_the_steps, "has a score of 2.5 for accuracy, which is no step of its scale; run `dvc repro`"),
        (drop_last, "error: data/judgements/sft.jsonl: there is no judgement where answer"),
        (swap_id, "error: data/judgements/sft.jsonl: there is no judgement where answer"),
        (other_rubric, "has no score for style, so it was judged by another rubric; run `dvc repro`"),
        (off_the_scale, "error: data/judgements/sft.jsonl: a score of 7 for accuracy, whose scale is 1 to 3"),
    ],
)
def test_judgements_that_do_not_belong_are_refused(
    copied: Path, change: Callable[[int, Judgement], Judgement | None], line: str
) -> None:
    before = every_file(copied)
    change_judgements(copied, "sft", change)
    done = run_here(copied, "aggregate.py")
    assert done.returncode == 1
    assert line in done.stderr.splitlines()[-1]
    assert every_file(copied) == before


def duplicate_last_line(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[-1]]))


def drop_first_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("data/judgements/sft.jsonl", duplicate_last_line, "it holds more judgements than there are answers"),
        ("data/questions.jsonl", drop_first_line, "no question has the id"),
        ("data/questions.jsonl", duplicate_last_line, "occurs twice; run `python scripts/validate.py`"),
        (
            "data/judgements/sft.jsonl",
            Path.unlink,
            "there is no such file; run `dvc repro` or `python scripts/judge.py",
        ),
        (
            "data/answers/sft.jsonl",
            Path.unlink,
            "there is no such file; run `dvc repro` or `python scripts/generate.py",
        ),
        ("data/questions.jsonl", Path.unlink, "run `dvc repro` or `python scripts/validate.py` first"),
        ("data/resolved/judge.json", Path.unlink, "run `dvc repro` or `python scripts/validate.py` first"),
        ("data/resolved/sft.json", Path.unlink, "there is no such file"),
        ("data/engines/sft.json", lambda path: path.write_text("{"), "this is not JSON"),
        ("data/questions.jsonl", lambda path: path.write_text(""), "it holds no question"),
    ],
)
def test_files_that_are_missing_or_broken_are_one_line(
    copied: Path, name: str, change: Callable[[Path], object], line: str
) -> None:
    change(copied / name)
    done = run_here(copied, "aggregate.py")
    assert done.returncode == 1
    assert line in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_questions_without_an_answer_are_counted(copied: Path) -> None:
    for name in (ANSWERS.directory, JUDGEMENTS.directory):
        drop_first_line(copied / name / "dpo.jsonl")
    done = run_here(copied, "aggregate.py")
    assert done.returncode == 1
    assert "error: data/answers/dpo.jsonl: 1 of 60 questions have no answer" in done.stderr


def test_two_worlds_are_never_mixed(copied: Path) -> None:
    path = copied / "data/resolved/sft.json"
    path.write_text(path.read_text().replace('"real"', '"embedded"'))
    done = run_here(copied, "aggregate.py")
    assert done.returncode == 1
    assert "this model was validated for the embedded run, and the judge for the real run" in done.stderr
