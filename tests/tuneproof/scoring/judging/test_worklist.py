from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.own_settings import own_params
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Answer, Reply
from tuneproof.scoring.judging.cases import AnswerCase, Stage
from tuneproof.scoring.judging.chains import CASES_AT_ONCE, Asking
from tuneproof.scoring.judging.rubric.prompts import Material
from tuneproof.scoring.judging.worklist import Worklist
from tuneproof.settings.execution import JudgeExecution

JUDGE = own_params().judge
EXECUTION = JudgeExecution()
REPLY = Reply(
    judge=JUDGE.model, model="m", attempt=1, status="ok", scores={"accuracy": 1, "style": 1}, probabilities=None,
    analyses=None, reply=None, error=None, prompt_tokens=500, reply_tokens=50, key="",
)  # fmt: skip


class CountedLedger(Ledger):
    """Counts how often it is asked."""

    questions = 0

    def take(self, keys: Any, read: Any) -> dict[str, Any]:
        self.questions += 1
        return super().take(keys, read)


def case(number: int, judged: bool) -> AnswerCase:
    answer = Answer(
        id=str(number), sample=0, prompt="", answer="It is.", finish_reason="stop", error=None, prompt_tokens=None,
        answer_tokens=None, key="a",
    )  # fmt: skip
    return AnswerCase(answer, JUDGE, Material(f"What is {number}?", None, "It is.") if judged else None)


def stage(count: int, empty: tuple[int, ...] = ()) -> Stage[AnswerCase]:
    return Stage("judge sft", JUDGE.criteria, lambda: (case(number, number not in empty) for number in range(count)))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[CountedLedger]:
    with CountedLedger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def record(asking: Asking, number: int, status: str) -> None:
    [chain] = asking.chains(case(number, judged=True))
    key, scores = asking.key(chain, 1), REPLY.scores if status == "ok" else None
    asking.ledger.put(key, "reply", REPLY.model_dump(exclude={"key"}) | {"status": status, "scores": scores})


def test_a_case_is_on_it_as_long_as_a_reply_is_missing(ledger: CountedLedger) -> None:
    asking = Asking(JUDGE, EXECUTION, JUDGE.criteria, ledger)
    record(asking, 1, "ok")
    record(asking, 3, "unreadable")
    found = Worklist.of(asking, stage(6, empty=(2,)))
    assert list(found.positions) == [0, 3, 4, 5]
    tally = found.tallies[JUDGE.model]
    assert (tally.recorded, tally.missing) == (2, 4)


def test_its_cases_are_made_anew_and_in_order(ledger: CountedLedger) -> None:
    found = Worklist.of(Asking(JUDGE, EXECUTION, JUDGE.criteria, ledger), stage(6))
    assert [(position, one.answer.id) for position, one in found.cases([1, 2, 5])] == [(1, "1"), (2, "2"), (5, "5")]
    assert list(found.cases([])) == []


def test_the_ledger_is_asked_for_many_cases_at_once(ledger: CountedLedger) -> None:
    Worklist.of(Asking(JUDGE, EXECUTION, JUDGE.criteria, ledger), stage(2 * CASES_AT_ONCE + 1))
    assert ledger.questions == 3
