"""The embedded questions and graded answers keep their contract (data/embedded/README.md)."""

import hashlib
import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

EMBEDDED = Path(__file__).parents[2] / "data" / "embedded"
MAX_SHARED_WORDS = 0.5  # Jaccard; the closest two texts of the set have 0.44
MAX_SHARED_RUN_WORDS = 7


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EMBEDDED / name).read_text(encoding="utf-8").splitlines()]


QUESTIONS = rows("questions.jsonl")
GRADED = rows("graded.jsonl")
IN_TURNS = [row for row in QUESTIONS if "turns" in row]
TURNS = [(row["id"], turn) for row in QUESTIONS for turn in ((0, 1) if "turns" in row else (None,))]
TEST_IDS = {row["id"] for row in QUESTIONS if row["part"] == "test"}


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def test_there_are_a_hundred_questions_of_which_forty_are_the_test_part() -> None:
    assert Counter(row["part"] for row in QUESTIONS) == {"train": 60, "test": 40}


def test_every_question_has_exactly_the_fields_of_the_contract() -> None:
    fields = ("id", "instruction", "reference", "part")
    assert {tuple(row) for row in QUESTIONS} == {fields, (*fields, "turns", "references")}
    assert all(row["instruction"].strip() and row["reference"].strip() for row in QUESTIONS)


def test_eight_questions_of_the_test_part_have_a_second_turn_behind_their_own() -> None:
    assert len(IN_TURNS) == 8
    for row in IN_TURNS:
        assert row["part"] == "test"
        assert (row["turns"][0], row["references"][0]) == (row["instruction"], row["reference"])
        assert len(row["turns"]) == len(row["references"]) == 2


def test_every_id_is_the_hash_of_instruction_and_reference_and_unique() -> None:
    for row in QUESTIONS:
        text = f"{row['instruction']}\n{row['reference']}".encode()
        assert row["id"] == hashlib.sha256(text).hexdigest()[:12], row["instruction"]
    assert len({row["id"] for row in QUESTIONS}) == len(QUESTIONS)


def test_every_turn_has_four_answers_side_by_side() -> None:
    assert [(row["id"], row.get("turn")) for row in GRADED] == [turn for turn in TURNS for _ in range(4)]


def test_every_answer_has_exactly_the_fields_of_the_contract() -> None:
    fields = ("answer", "accuracy", "style", "reason", "second_accuracy", "second_style")
    assert {tuple(row) for row in GRADED} == {("id", *fields), ("id", "turn", *fields)}
    assert all(row["answer"].strip() and row["reason"].strip() for row in GRADED)


def test_every_score_is_a_whole_step_of_the_scale() -> None:
    for row in GRADED:
        assert type(row["accuracy"]) is int, row["answer"]
        assert type(row["style"]) is int, row["answer"]
    assert {row["accuracy"] for row in GRADED} == {row["style"] for row in GRADED} == {1, 2, 3}


def test_every_turn_has_a_good_and_a_bad_answer() -> None:
    for turn in TURNS:
        grades = [(row["accuracy"], row["style"]) for row in GRADED if (row["id"], row.get("turn")) == turn]
        assert grades.count((3, 3)) >= 1
        assert min(sum(grade) for grade in grades) <= 4


def test_at_least_a_hundred_answers_of_the_test_part_were_rated_twice_on_both_criteria() -> None:
    second = [row for row in GRADED if row["second_accuracy"] is not None]
    assert len(second) >= 100
    assert {row["id"] for row in second} == TEST_IDS
    assert all({row["second_accuracy"], row["second_style"]} <= {1, 2, 3} for row in second)
    assert all(row["second_style"] is None for row in GRADED if row["second_accuracy"] is None)


def test_no_answer_instruction_or_reference_stands_twice() -> None:
    for texts in every_kind_of_text():
        assert len({" ".join(words(text)) for text in texts}) == len(texts)


def every_kind_of_text() -> list[list[str]]:
    return [
        [row["answer"] for row in GRADED],
        [row["instruction"] for row in QUESTIONS] + [row["turns"][1] for row in IN_TURNS],
        [row["reference"] for row in QUESTIONS] + [row["references"][1] for row in IN_TURNS],
    ]


def test_no_two_texts_are_one_template_with_words_swapped() -> None:
    for texts in every_kind_of_text():
        for (first, here), (second, there) in combinations([(text, set(words(text))) for text in texts], 2):
            assert len(here & there) / len(here | there) <= MAX_SHARED_WORDS, f"{first}\n{second}"


def test_no_two_answers_share_a_long_run_of_words() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for row in GRADED:
        found = words(row["answer"])
        runs = {
            tuple(found[start : start + MAX_SHARED_RUN_WORDS]) for start in range(len(found) - MAX_SHARED_RUN_WORDS + 1)
        }
        for run in runs:
            assert seen.setdefault(run, row["answer"]) == row["answer"], " ".join(run)


def test_no_answer_copies_a_sentence_of_its_reference() -> None:
    references = {row["id"]: row.get("references", [row["reference"]]) for row in QUESTIONS}
    for row in GRADED:
        reference = references[row["id"]][row.get("turn", 0)]
        copied = set(re.split(r"[.;] ?", row["answer"])) & set(re.split(r"[.;] ?", reference))
        assert copied <= {""}, row["answer"]


def test_length_does_not_give_the_score_away() -> None:
    lengths = {step: [len(words(row["answer"])) for row in GRADED if row["accuracy"] == step] for step in (1, 3)}
    means = {step: sum(found) / len(found) for step, found in lengths.items()}
    assert means[3] == pytest.approx(means[1], rel=0.15)


def test_every_row_is_one_line_of_plain_utf_8_that_ends_the_file() -> None:
    for name in ("questions.jsonl", "graded.jsonl"):
        content = (EMBEDDED / name).read_bytes()
        assert content.endswith(b"}\n")
        assert b"\r" not in content
        assert b"\n\n" not in content


def test_the_card_says_that_it_is_demonstration_data_rated_by_its_authors() -> None:
    card = " ".join((EMBEDDED / "README.md").read_text(encoding="utf-8").replace("**", "").split())
    for said in ("It is demonstration data.", "without sight of the first", "the project's authors", "no stand-in"):
        assert said in card
