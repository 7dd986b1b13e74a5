import random
import socket
from typing import Any

import pytest

from tests.tuneproof.scoring.checks.cases import found, question
from tuneproof.scoring.checks.instructions import checkers

ASKED: list[tuple[str, dict[str, Any]]] = [
    ("punctuation:no_comma", {}),
    ("length_constraints:number_sentences", {"relation": "at least", "num_sentences": 3}),
    ("change_case:capital_word_frequency", {"capital_relation": "at least", "capital_frequency": 1}),
    ("detectable_format:title", {"num_words": None}),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 2, "let_relation": "at least"}),
]
ANSWERS = ["Sure:\nIt is. Dr. Who is HERE. Bye.", "<<Title>>\nYes, it is.", "*no*, no\nHELLO there.", "", "\n\n"]


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    checkers()


def asking(*instructions: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"kind": "instruction", "id": name, "kwargs": arguments} for name, arguments in instructions]


def test_all_of_ifeval_s_instructions_are_known() -> None:
    assert len(checkers()) == 25


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("name", "arguments"), ASKED)
def test_verdicts_are_those_of_the_package(answer: str, name: str, arguments: dict[str, Any]) -> None:
    from if_verifiable.common import evaluate_instructions
    from if_verifiable.ifeval.instructions_registry import INSTRUCTION_DICT

    asked = question(checks=asking((name, arguments)))
    random.seed(asked.instruction)
    results, _ = evaluate_instructions(answer, [name], [arguments], asked.instruction, INSTRUCTION_DICT)
    strict, loose = (results[0].strict_pass, results[0].loose_pass) if results else (False, False)
    assert found(answer, asked, kind="ifeval").value == strict
    assert found(answer, asked, kind="ifeval", strict=False).value == loose


def test_a_prompt_is_followed_whole_or_not_and_instructions_are_counted() -> None:
    asked = question(checks=asking(*ASKED[:2]))
    assert found("It is, it is.", asked, kind="ifeval", per="instruction").value == 0
    assert found("It is. Is it. It is.", asked, kind="ifeval", per="instruction").value == 1
    assert found("It is.", asked, kind="ifeval", per="instruction").value == 0.5
    assert found("It is.", asked, kind="ifeval") == (0, "1 of 2 followed, not length_constraints:number_sentences")


def test_what_is_drawn_at_random_is_the_same_for_every_answer() -> None:
    asked = question(checks=asking(ASKED[4]))
    assert len({found("some text with letters", asked, kind="ifeval") for _ in range(20)}) == 1


def test_what_no_checker_knows_gives_no_score_and_says_so() -> None:
    assert found("Yes.", question(), kind="ifeval") == (None, "the question has no instructions")
    unknown = question(checks=asking(("poetry:rhymes", {})))
    assert found("Yes.", unknown, kind="ifeval") == (None, "IFEval has no instruction poetry:rhymes")
    wrong = question(checks=asking(("punctuation:no_comma", {"colour": "red"})))
    assert found("Yes.", wrong, kind="ifeval").value is None


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something wants the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    checkers.cache_clear()
    checkers()
