from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.made_up.labels import label
from tuneproof.common.errors import UserError
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import LABELS, raters, read_labels
from tuneproof.records.keys import answer_label_key, pair_label_key
from tuneproof.records.rows import Label

RUBRIC = {"accuracy": {"question": "Is it right?", "scale": {"1": "No.", "2": "Yes."}}}


def test_the_key_of_a_label_is_of_all_that_was_rated_and_of_no_model() -> None:
    keys = {
        answer_label_key("Why?", "Because.", "So.", RUBRIC),
        answer_label_key("Why not?", "Because.", "So.", RUBRIC),
        answer_label_key("Why?", None, "So.", RUBRIC),
        answer_label_key("Why?", "Because.", "Thus.", RUBRIC),
        answer_label_key("Why?", "Because.", "So.", {"style": RUBRIC["accuracy"]}),
        answer_label_key("Why?", "Because.", "So.", RUBRIC, history=[{"role": "user", "content": "Hello"}]),
        pair_label_key("Why?", "Because.", "So.", "Thus.", "The better one."),
        pair_label_key("Why?", "Because.", "Thus.", "So.", "The better one."),
    }
    assert len(keys) == 8
    assert answer_label_key("Why?", "Because.", "So.", RUBRIC) in keys


@pytest.mark.parametrize(
    "wrong",
    [
        {"preference": 0.5},
        {"kind": "pair"},
        {"kind": "pair", "scores": None, "preference": 0.7},
        {"scores": {}},
        {"scores": {"accuracy": "3"}},
        {"rater": "../anna"},
        {"rater": "Anna"},
        {"drawn": "by hand"},
        {"seconds": -1.0},
        {"round": 0},
    ],
)
def test_a_label_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Label.model_validate(label().model_dump() | wrong)


def test_labels_are_read_without_those_of_other_instructions_and_without_skipped_ones(tmp_path: Path) -> None:
    rows = [
        label(key="a", scores={"accuracy": 1}), label(key="a", scores={"accuracy": 3}),
        label(key="b", scores=None), label(key="c", instructions="of another"), label(key="d", instructions=None),
    ]  # fmt: skip
    write_rows(tmp_path / LABELS.path("anna"), rows)
    write_rows(tmp_path / LABELS.path("ben"), [label(key="a", rater="ben")])
    assert raters(tmp_path) == ["anna", "ben"]
    found = read_labels("now", tmp_path)
    assert [(one.rater, one.key, one.scores) for one in found] == [
        ("anna", "a", {"accuracy": 3}), ("anna", "d", {"accuracy": 2}), ("ben", "a", {"accuracy": 2}),
    ]  # fmt: skip


def test_no_labels_are_no_error(tmp_path: Path) -> None:
    assert read_labels("now", tmp_path) == []


def test_nobody_is_told_to_delete_labels(tmp_path: Path) -> None:
    path = tmp_path / LABELS.path("anna")
    path.parent.mkdir(parents=True)
    path.write_text('{"key": "a"}\n')
    with pytest.raises(UserError, match=r"anna\.jsonl, line 1: this is no label: .*; correct the line, or restore"):
        read_labels("now", tmp_path)
