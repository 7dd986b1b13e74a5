"""Which turns can be asked for, in which order, and what follows a turn that failed."""

from collections.abc import Iterable, Sequence

import pytest

from tuneproof.generation.conversations.messages import Conversation
from tuneproof.generation.conversations.turns import RENDERED_AT_ONCE, Open, Turns, first_requests
from tuneproof.generation.jobs import Request, of_turn
from tuneproof.records.rows import Question, Result


def question(name: str, turns: int) -> Question:
    texts = [f"{name}{turn}" for turn in range(turns)]
    if turns == 1:
        return Question(id=name, instruction=texts[0], reference=None)
    return Question(
        id=name, instruction=texts[0], reference=None, history=[], turns=texts, references=[None for _ in texts]
    )


def render(conversations: Sequence[Conversation]) -> list[Request]:
    """Prompts that show all that the model is told; they are their own keys."""
    requests = []
    for conversation in conversations:
        prompt = "|".join(message["content"] for message in conversation.messages(None))
        for sample in conversation.samples:
            key = f"{prompt}#{sample}"
            requests.append(Request(conversation.question.id, sample, prompt, key, seed=0, **of_turn(conversation)))
    return requests


def answer(text: str) -> Result:
    return Result(answer=text, finish_reason="stop")


FAILED = Result(answer="", finish_reason="error", error="over-long")


class Ledger(dict[str, Result]):
    def known(self, keys: Iterable[str]) -> dict[str, Result]:
        return {key: self[key] for key in keys if key in self}


QUESTIONS = [question("a", 3), question("b", 1), question("c", 2)]


def prompts(turns: Turns, samples: int = 1) -> list[list[tuple[str, bool]]]:
    chains = turns.chains(first_requests(render, QUESTIONS, samples))
    return [[(request.prompt, result is not None) for request, result in chain] for chain in chains]


def test_a_chain_goes_as_far_as_answers_are_there() -> None:
    ledger = Ledger()
    turns = Turns(render, ledger.known)
    assert prompts(turns) == [[("a0", False)], [("b0", False)], [("c0", False)]]
    ledger |= {"a0#0": answer("x"), "a0|x|a1#0": answer("y"), "b0#0": answer("z"), "c0#0": answer("w")}
    assert prompts(turns) == [
        [("a0", True), ("a0|x|a1", True), ("a0|x|a1|y|a2", False)],
        [("b0", True)],
        [("c0", True), ("c0|w|c1", False)],
    ]


def test_every_sample_goes_on_from_its_own_answers() -> None:
    ledger = Ledger({"c0#0": answer("w"), "c0#1": answer("v")})
    chains = prompts(Turns(render, ledger.known), samples=2)
    assert [chain[-1][0] for chain in chains[4:]] == ["c0|w|c1", "c0|v|c1"]


def test_the_turns_after_one_that_failed_are_errors_with_its_reason_and_are_not_asked() -> None:
    ledger = Ledger({"a0#0": answer("x"), "a0|x|a1#0": FAILED})
    chain = next(Turns(render, ledger.known).chains(first_requests(render, QUESTIONS, 1)))
    request, result = chain[2]
    assert (request.turn, request.prompt, len(request.key)) == (2, "", 64)
    assert result and (result.answer, result.finish_reason) == ("", "error")
    assert result.error == "turn 1 has no answer to go on from: over-long"


def asked_in_order(results: dict[str, Result], window: int, ledger: Ledger | None = None) -> list[str]:
    """The prompts in the order in which an engine with a window of workers asks them."""
    known = Ledger() if ledger is None else ledger
    turns = Turns(render, known.known)
    missing = [chain[-1][0] for chain in turns.chains(first_requests(render, QUESTIONS, 1))]
    requests, order, under_way = Open(missing, turns), [], list[Request]()
    while True:
        while len(under_way) < window and (request := next(requests, None)):
            under_way.append(request)
            order.append(request.prompt)
        if not under_way:
            return order
        done = under_way.pop(0)
        known[done.key] = results.get(done.prompt, answer("x"))
        requests.answered(done, known[done.key])


def test_all_first_turns_come_before_second_ones_and_each_follows_as_soon_as_its_last_is_there() -> None:
    assert asked_in_order({}, window=1) == ["a0", "b0", "c0", "a0|x|a1", "c0|x|c1", "a0|x|a1|x|a2"]
    assert asked_in_order({}, window=9) == ["a0", "b0", "c0", "a0|x|a1", "c0|x|c1", "a0|x|a1|x|a2"]


def test_what_a_killed_run_left_open_goes_on_with_its_first_turns() -> None:
    ledger = Ledger({"a0#0": answer("x")})
    assert asked_in_order({}, 1, ledger) == ["b0", "c0", "a0|x|a1", "c0|x|c1", "a0|x|a1|x|a2"]


def test_a_failure_ends_its_conversation_alone_and_its_other_turns_count_as_done() -> None:
    assert asked_in_order({"a0": FAILED}, window=2) == ["a0", "b0", "c0", "c0|x|c1"]


@pytest.mark.parametrize(("result", "skipped"), [(FAILED, [2]), (answer("x"), [0])])
def test_who_counts_is_told_of_the_turns_that_need_not_be_asked(result: Result, skipped: list[int]) -> None:
    turns, told = Turns(render, Ledger().known), list[int]()
    [first, *_] = first_requests(render, QUESTIONS, 1)
    requests = Open([], turns, told.append)
    requests.answered(first, result)
    assert [request.prompt for request in requests] == ["a0|x|a1"] * (skipped == [0])
    assert told == skipped


def test_next_turns_that_are_possible_together_are_rendered_together_and_never_too_many() -> None:
    calls: list[int] = []

    def counted(conversations: Sequence[Conversation]) -> list[Request]:
        calls.append(len(conversations))
        return render(conversations)

    questions = [QUESTIONS[0].model_copy(update={"id": f"q{number}"}) for number in range(150)]
    first = first_requests(render, questions, 1)
    requests = Open([], Turns(counted, Ledger().known))
    for request in first:
        requests.answered(request, answer("x"))
    assert calls == []
    assert len(list(requests)) == 150
    assert calls == [RENDERED_AT_ONCE, RENDERED_AT_ONCE, 150 - 2 * RENDERED_AT_ONCE]
