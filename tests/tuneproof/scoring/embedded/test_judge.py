"""The embedded judge scores answers, agrees with people better than their length does, and fails readably."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.house.test_embedded_data import EMBEDDED, GRADED, QUESTIONS, TEST_IDS
from tuneproof.common.errors import UserError
from tuneproof.scoring.embedded.judge import EmbeddedJudge, load_judge
from tuneproof.scoring.evaluator.contract import Scored
from tuneproof.scoring.evaluator.words.lexicon import terms, words

ROOT = EMBEDDED.parent.parent
JUDGE = EMBEDDED / "judge"
QUESTION = {row["id"]: row for row in QUESTIONS}
HELD_OUT = [row for row in GRADED if row["id"] in TEST_IDS and not row.get("turn")]
CRITERIA = ("accuracy", "style")

Rows = Sequence[dict[str, Any]]


@pytest.fixture(scope="module")
def judge() -> EmbeddedJudge:
    return load_judge(JUDGE)


def asked(row: dict[str, Any]) -> tuple[str, str]:
    question = QUESTION[row["id"]]
    return question["instruction"], question["reference"]


def score_of(scored: Scored) -> float:
    assert scored.score is not None
    return scored.score


def expected_scores(judge: EmbeddedJudge, rows: Rows, criterion: str) -> list[float]:
    return [score_of(judge.score(*asked(row), row["answer"])[criterion]) for row in rows]


def mean_score(judge: EmbeddedJudge, pairs: Sequence[tuple[dict[str, Any], str]], criterion: str) -> float:
    return sum(score_of(judge.score(*asked(row), answer)[criterion]) for row, answer in pairs) / len(pairs)


def good_rows() -> list[dict[str, Any]]:
    return [row for row in HELD_OUT if (row["accuracy"], row["style"]) == (3, 3)]


def given_steps(judge: EmbeddedJudge, rows: Rows, criterion: str) -> list[int]:
    return [int(judge.score(*asked(row), row["answer"])[criterion].label) for row in rows]


def quadratic_kappa(graded: Sequence[float], given: Sequence[int]) -> float:
    observed = sum((here - there) ** 2 for here, there in zip(graded, given, strict=True)) / len(graded)
    expected = sum((here - there) ** 2 for here in graded for there in given) / len(graded) ** 2
    return 1 - observed / expected


def area(positive: Sequence[float], negative: Sequence[float]) -> float:
    wins = sum((above > below) + (above == below) / 2 for above in positive for below in negative)
    return wins / (len(positive) * len(negative))


def area_at(step: int, rows: Rows, scores: Sequence[float], criterion: str) -> float:
    reached = [score for row, score in zip(rows, scores, strict=True) if row[criterion] >= step]
    missed = [score for row, score in zip(rows, scores, strict=True) if row[criterion] < step]
    return area(reached, missed)


# --- what a score is


def test_it_scores_accuracy_and_style(judge: EmbeddedJudge) -> None:
    assert judge.criteria == CRITERIA
    assert tuple(judge.score("Why?", "Because.", "So.")) == CRITERIA


def test_a_score_is_the_mean_of_its_scale_under_its_probabilities(judge: EmbeddedJudge) -> None:
    for row in HELD_OUT:
        for scored in judge.score(*asked(row), row["answer"]).values():
            assert tuple(scored.probabilities) == ("1", "2", "3")
            assert all(0 <= share <= 1 for share in scored.probabilities.values())
            assert sum(scored.probabilities.values()) == pytest.approx(1, abs=2e-4)
            expected = sum(int(step) * share for step, share in scored.probabilities.items())
            score = score_of(scored)
            assert score == pytest.approx(expected, abs=5e-4)
            assert 1 <= score <= 3
            assert score == round(score, 4)
            assert scored.probability == pytest.approx((score - 1) / 2, abs=2e-4)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_on_held_out_questions_it_beats_length_and_majority(judge: EmbeddedJudge, criterion: str) -> None:
    graded = [row[criterion] for row in HELD_OUT]
    scores = expected_scores(judge, HELD_OUT, criterion)
    lengths = [float(len(words(row["answer"]))) for row in HELD_OUT]
    steps = given_steps(judge, HELD_OUT, criterion)
    assert quadratic_kappa(graded, steps) > 0.5  # the majority's is 0 by definition
    majority = max(graded.count(step) for step in (1, 2, 3)) / len(graded)
    exact = sum(grade == step for grade, step in zip(graded, steps, strict=True)) / len(graded)
    assert exact > majority
    for step in (2, 3):
        by_length = area_at(step, HELD_OUT, lengths, criterion)
        assert area_at(step, HELD_OUT, scores, criterion) > max(by_length, 1 - by_length) + 0.15


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_cards_figures_are_those_of_this_judge(judge: EmbeddedJudge, criterion: str) -> None:
    card = (EMBEDDED / "README.md").read_text(encoding="utf-8")
    table = card[card.index(f"| {criterion} |") :]
    found = re.search(r"\| embedded judge \| ([\d.]+) \[.*?\] \| ([\d.]+) \[.*?\] \| ([\d.]+) ", table)
    assert found
    scores = expected_scores(judge, HELD_OUT, criterion)
    steps = given_steps(judge, HELD_OUT, criterion)
    measured = [quadratic_kappa([row[criterion] for row in HELD_OUT], steps)]
    measured += [area_at(step, HELD_OUT, scores, criterion) for step in (2, 3)]
    assert [float(figure) for figure in found.groups()] == pytest.approx(measured, abs=0.0051)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_judge_holds_no_word_that_only_the_test_part_has(criterion: str) -> None:
    record = json.loads((JUDGE / criterion / "words.json").read_text(encoding="utf-8"))
    training = [text for row in QUESTIONS if row["part"] == "train" for text in (row["instruction"], row["reference"])]
    training += [row["answer"] for row in GRADED if row["id"] not in TEST_IDS]
    assert set(record["corpus"]["known_words"]) == {word for text in training for word in words(text)}
    assert set(record["terms"]) <= {term for text in training for term in terms(text)}
    assert len(record["corpus"]["references"]) == (60 if criterion == "accuracy" else 0)


# --- texts unlike those that it was trained on


def test_word_salad_scores_low_on_both_criteria(judge: EmbeddedJudge) -> None:
    chance = random.Random(1)
    pool = [word for row in HELD_OUT for word in row["answer"].split()]
    salad = [(row, " ".join(chance.choices(pool, k=chance.randint(15, 60)))) for row in good_rows()]
    for criterion in CRITERIA:
        assert mean_score(judge, salad, criterion) < 1.3


def test_broken_words_score_below_the_answer_that_they_were(judge: EmbeddedJudge) -> None:
    chance = random.Random(2)

    def broken(word: str) -> str:
        return word[len(word) // 2 :] + word[: len(word) // 2] if chance.random() < 0.6 else word

    spoilt = [(row, " ".join(broken(word) for word in row["answer"].split())) for row in good_rows()]
    whole = [(row, row["answer"]) for row in good_rows()]
    for criterion in CRITERIA:
        assert mean_score(judge, spoilt, criterion) < mean_score(judge, whole, criterion) - 0.8


def test_a_good_answer_to_another_question_is_not_accurate(judge: EmbeddedJudge) -> None:
    rows = good_rows()
    moved = [(row, other["answer"]) for row, other in zip(rows, [*rows[1:], rows[0]], strict=True)]
    own = [(row, row["answer"]) for row in rows]
    assert mean_score(judge, moved, "accuracy") < 1.4 < 2.3 < mean_score(judge, own, "accuracy")


def test_an_answer_cut_mid_sentence_scores_below_the_whole_one(judge: EmbeddedJudge) -> None:
    cut = [(row, " ".join(row["answer"].split()[:8])) for row in good_rows()]
    whole = [(row, row["answer"]) for row in good_rows()]
    for criterion in CRITERIA:
        assert mean_score(judge, cut, criterion) < mean_score(judge, whole, criterion) - 0.5


@pytest.mark.parametrize(
    "answer", ["", " \n\t", ".", "...?!", "ok", "Yes.", "\x00\x1b[31m", "答えは分かりません", "🤖" * 50]
)
def test_next_to_nothing_scores_low(judge: EmbeddedJudge, answer: str) -> None:
    for row in good_rows()[:5]:
        for scored in judge.score(*asked(row), answer).values():
            assert score_of(scored) < 1.5


def test_the_question_said_back_is_no_answer(judge: EmbeddedJudge) -> None:
    echoes = [(row, asked(row)[0]) for row in good_rows()]
    assert mean_score(judge, echoes, "accuracy") < 1.3


def test_any_text_of_any_length_gets_a_score_on_the_scale(judge: EmbeddedJudge) -> None:
    chance = random.Random(3)
    texts = ["".join(chr(chance.randint(1, 0xD7FF)) for _ in range(200)) for _ in range(30)]
    texts += ["a" * 1_000_000, "is " * 500_000, "?" * 100_000, "1e-4 " * 1000, "'" * 5000, "-.'" * 3000]
    for text in texts:
        for scored in judge.score(text, text[::-1], text).values():
            assert 1 <= score_of(scored) <= 3


def test_empty_question_and_reference_are_no_bug(judge: EmbeddedJudge) -> None:
    assert all(1 <= score_of(scored) <= 3 for scored in judge.score("", "", "A plain answer.").values())


def test_without_a_reference_accuracy_is_only_less_sure_and_style_the_same(judge: EmbeddedJudge) -> None:
    row = good_rows()[0]
    instruction, reference = asked(row)
    known = judge.score(instruction, reference, row["answer"])
    unknown = judge.score(instruction, None, row["answer"])
    assert unknown["style"] == known["style"]
    assert unknown["accuracy"] != known["accuracy"]
    assert score_of(unknown["accuracy"]) < 2.9


# --- preference


def test_exchanging_the_answers_mirrors_the_preference_exactly(judge: EmbeddedJudge) -> None:
    for first, second in combinations(HELD_OUT[:12], 2):
        forward = judge.preference(*asked(first), first["answer"], second["answer"])
        backward = judge.preference(*asked(first), second["answer"], first["answer"])
        assert forward == 1 - backward
        assert backward == 1 - forward
        assert 0 <= forward <= 1


def test_an_answer_is_not_preferred_to_itself(judge: EmbeddedJudge) -> None:
    row = HELD_OUT[0]
    assert judge.preference(*asked(row), row["answer"], row["answer"]) == 0.5


def test_the_answer_with_the_higher_grades_is_mostly_preferred(judge: EmbeddedJudge) -> None:
    right = []
    for first, second in combinations(HELD_OUT, 2):
        gap = sum(first[criterion] - second[criterion] for criterion in CRITERIA)
        if first["id"] == second["id"] and gap:
            right.append((judge.preference(*asked(first), first["answer"], second["answer"]) > 0.5) == (gap > 0))
    assert sum(right) / len(right) > 0.8


# --- the files


def test_a_missing_judge_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"preference\.json: the embedded judge cannot be read .*; restore it from Git"):
        load_judge(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"slope": null}', b"\xff\xfe\x00", b"version"])
def test_a_broken_judge_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    shutil.copytree(JUDGE, tmp_path / "judge")
    (tmp_path / "judge" / "preference.json").write_bytes(content)
    with pytest.raises(UserError, match="the file is not the embedded judge's; restore it from Git"):
        load_judge(tmp_path / "judge")


def test_the_judge_is_plain_numbers_small_enough_for_git() -> None:
    files = [path for path in JUDGE.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"preference.json", "evaluator.json", "words.json"}
    assert sum(path.stat().st_size for path in files) < 400_000


# --- the same everywhere, with nothing to install

SCORE_IN_A_NEW_PROCESS = """
import json, sys
from pathlib import Path
from tuneproof.scoring.embedded.judge import load_judge
judge = load_judge(Path(sys.argv[1]))
scored = [judge.score(*texts)["accuracy"].score for texts in json.load(sys.stdin)]
heavy = sorted({"numpy", "sklearn", "scipy", "torch", "pandas"} & set(sys.modules))
print(json.dumps([scored, heavy]))
"""


def test_scores_do_not_depend_on_the_order_of_hashes_and_need_no_numerical_package(judge: EmbeddedJudge) -> None:
    texts = [(*asked(row), row["answer"]) for row in HELD_OUT]
    command = [sys.executable, "-c", SCORE_IN_A_NEW_PROCESS, str(JUDGE)]
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "PYTHONHASHSEED": seed}
        done = subprocess.run(
            command, input=json.dumps(texts), env=environment, capture_output=True, text=True, check=True
        )
        scores, heavy = json.loads(done.stdout)
        assert scores == [judge.score(*given)["accuracy"].score for given in texts]
        assert heavy == []
