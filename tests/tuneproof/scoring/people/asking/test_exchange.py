"""What goes to another tool and comes back is what was there."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.labels import label
from tuneproof.common.errors import UserError
from tuneproof.records.rows import Label
from tuneproof.scoring.people.asking.exchange import (
    FORMULA_BEGINS,
    from_csv,
    from_label_studio,
    require_steps,
    to_csv,
    to_label_studio,
)
from tuneproof.scoring.people.asking.items import Item

DEFAULTS: dict[str, Any] = {"round": 7, "instructions": "now"}
ITEM = Item(("a" * 64,), "q1", "answer", "=1+1", None, ("An answer.",))
PAIR = Item(("b" * 64, "c" * 64), "q2", "pair", "Why?", "Because.", ("One.", "Other."))
NUMBERS = st.one_of(st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6, allow_nan=False))
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.sampled_from(HOSTILE_TEXTS),
    st.builds(str.__add__, st.sampled_from(FORMULA_BEGINS), st.text(st.characters(codec="utf-8"))),
)


@st.composite
def any_label(draw: st.DrawFn) -> Label:
    kind = draw(st.sampled_from(["answer", "pair"]))
    scores = st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), NUMBERS, min_size=1, max_size=3)
    return label(
        key=draw(st.one_of(st.sampled_from(["a" * 64, "b" * 64, "c" * 64]), TEXTS.filter(bool))),
        id=draw(TEXTS.filter(bool)), kind=kind,
        scores=draw(st.none() | scores.filter(lambda one: not {"preference", "note"} & one.keys()))
        if kind == "answer" else None,
        preference=draw(st.sampled_from([None, 0, 0.5, 1])) if kind == "pair" else None,
        note=draw(st.none() | TEXTS), rater=draw(st.from_regex(r"[a-z0-9_][a-z0-9_-]{0,9}", fullmatch=True)),
        drawn=draw(st.sampled_from(["random", "chosen"])), seconds=draw(st.floats(0, 1e6)),
        round=draw(st.integers(1, 99)), instructions=draw(st.none() | TEXTS.filter(bool)),
    )  # fmt: skip


@given(st.lists(any_label(), max_size=3))
def test_the_way_to_csv_and_back_loses_nothing(labels: list[Label]) -> None:
    assert from_csv(to_csv([ITEM, PAIR], labels, ["accuracy"]), "zoe", DEFAULTS) == labels


@given(st.lists(any_label(), max_size=3))
def test_the_way_to_label_studio_and_back_loses_nothing(labels: list[Label]) -> None:
    found = from_label_studio(to_label_studio([ITEM, PAIR], labels), "zoe", DEFAULTS)
    assert sorted(found, key=repr) == sorted(labels, key=repr)  # labels of one answer come together


@given(any_label())
def test_no_cell_of_a_csv_is_a_formula(one: Label) -> None:
    for row in csv.reader(io.StringIO(to_csv([ITEM], [one], []), newline="")):
        for cell in row:
            is_formula = cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert not is_formula or float(cell) is not None, cell


def test_what_nobody_rated_is_in_the_export_and_comes_back_as_nothing() -> None:
    text = to_csv([ITEM, PAIR], [label(key="c" * 64, kind="pair", scores=None, preference=1)], ["accuracy"])
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["key"][0] for row in rows] == ["c", "a"]
    assert rows[1]["question"] == "'=1+1"
    assert len(from_csv(text, None, DEFAULTS)) == 1
    tasks = json.loads(to_label_studio([ITEM, PAIR], []))
    assert [task["data"]["question"] for task in tasks] == ["=1+1", "Why?"]
    assert tasks[1]["data"]["other_answer"] == "Other."


def test_annotations_made_in_label_studio_become_labels() -> None:
    tasks = json.loads(to_label_studio([ITEM], []))
    tasks[0]["annotations"] = [
        {
            "completed_by": {"email": "Eva.Maier@example.org"}, "lead_time": 12.5, "was_cancelled": False,
            "result": [
                {"from_name": "accuracy", "type": "rating", "value": {"rating": 3}},
                {"from_name": "style", "type": "choices", "value": {"choices": ["2"]}},
                {"from_name": "note", "type": "textarea", "value": {"text": ["Well put."]}},
            ],
        },
        {"completed_by": 17, "result": []},
    ]  # fmt: skip
    one, skipped = from_label_studio(json.dumps(tasks), "zoe", DEFAULTS)
    assert (one.rater, one.scores, one.note, one.seconds) == (
        "eva-maier",
        {"accuracy": 3, "style": 2},
        "Well put.",
        12.5,
    )
    assert (one.round, one.instructions, one.key) == (7, "now", "a" * 64)
    assert (skipped.rater, skipped.rated) == ("zoe", False)


def test_a_csv_that_people_filled_in_needs_no_more_than_a_rater_and_scores() -> None:
    text = to_csv([ITEM], [], ["accuracy"]).replace("\r\n", "\n")
    rows = list(csv.reader(io.StringIO(text)))
    rows[1][rows[0].index("score accuracy")] = "2"
    filled = "\n".join(";".join(row) for row in rows)
    (found,) = from_csv(filled, "zoe", DEFAULTS)
    assert (found.rater, found.scores, found.drawn, found.round) == ("zoe", {"accuracy": 2}, "random", 7)
    with pytest.raises(UserError, match="line 2: rater"):
        from_csv(filled, None, DEFAULTS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no column key"),
        ("key,id,kind,drawn,preference\na,q,pair,random,2\n", "preference"),
        ("key,id,kind,drawn,score accuracy\na,q,answer,random,good\n", "could not convert"),
        ("key,id,kind,drawn,score accuracy\na,q,answer,random,nan\n", "no finite number"),
        ("key,id,kind,drawn,score accuracy\na,q,answer,sometimes,2\n", "drawn"),
    ],
)
def test_a_csv_that_is_none_is_refused_in_one_line(text: str, found: str) -> None:
    with pytest.raises(UserError, match=f"{found}.*nothing was changed"):
        from_csv(text, "zoe", DEFAULTS)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"data": 3, "annotations": [{}]}]', "[" * 100_000])
def test_json_that_is_no_export_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="the import"):
        from_label_studio(text, "zoe", DEFAULTS)


@given(st.text())
def test_any_text_is_labels_or_one_error(text: str) -> None:
    for read in (from_csv, from_label_studio):
        try:
            read(text, "zoe", DEFAULTS)
        except UserError:
            continue


def test_scores_are_steps_of_the_scale() -> None:
    scales = {"accuracy": [1, 2, 3]}
    require_steps([label(), label(scores={"tone": 9}, instructions="of another rubric")], scales, "now")
    with pytest.raises(UserError, match=r"2\.5 is no step of accuracy"):
        require_steps([label(scores={"accuracy": 2.5})], scales, "now")
    with pytest.raises(UserError, match="no criterion 'tone'"):
        require_steps([label(scores={"tone": 1})], scales, "now")
