"""Answers to one question are all learned from, or none: what is held out was not seen in another answer's company."""

from hypothesis import given
from hypothesis import strategies as st

from tests.made_up.evaluators import labelled
from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.scoring.evaluator.learning.examples import Example, distinct, group_of
from tuneproof.scoring.evaluator.learning.splitting import folds_of, parts_by_group

NAMES = st.lists(st.text(min_size=1, max_size=5), min_size=8, max_size=60)


@given(NAMES, st.integers(0, 5))
def test_a_question_is_in_one_part_and_each_part_has_some(names: list[str], seed: int) -> None:
    parts = parts_by_group([*names, *names], (0.15, 0.25), seed)
    assert parts.keys() == set(names)
    if len(parts) >= 8:
        assert set(parts.values()) == {"train", "validation", "test"}


@given(NAMES, st.integers(2, 6))
def test_a_question_is_in_one_fold(names: list[str], count: int) -> None:
    rows = names * 3
    folds = folds_of(rows, count, 0)
    assert all(len({fold for name, fold in zip(rows, folds, strict=True) if name == each}) == 1 for each in names)


def test_no_question_that_is_held_out_is_learned_from() -> None:
    examples = labelled(40)
    parts = parts_by_group([example.group for example in examples], (0.15, 0.25), 42)
    asked = {part: {e.texts.input for e in examples if parts[e.group] == part} for part in ("train", "test")}
    assert asked["test"]
    assert not asked["train"] & asked["test"]


def test_the_same_question_in_other_letters_is_the_same_question() -> None:
    assert group_of(" Why  Batch?\n") == group_of("why batch?")


def test_a_split_does_not_depend_on_the_order_of_the_rows() -> None:
    names = [f"question {number}" for number in range(30)]
    assert parts_by_group(names, (0.15, 0.25), 1) == parts_by_group(names[::-1], (0.15, 0.25), 1)


def test_an_answer_is_learned_from_once_with_the_label_that_counts_most() -> None:
    texts = Texts("Why?", "So.", None)
    rows = [
        Example(texts, "why?", "1"),
        Example(texts, "why?", "2", 1.0, "data"),
        Example(texts, "why?", "3", 3.0, "people"),
    ]
    assert [(row.label, row.source) for row in distinct(rows)] == [("3", "people")]
