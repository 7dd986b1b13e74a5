"""A model's answers turn by turn: which are there, which can be asked for, and what an answer makes possible.

The prompt of a turn holds the model's own answers before it, so that its request, and its key, are known only when
these are there.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tuneproof.generation.conversations.messages import Conversation, Earlier
from tuneproof.generation.conversations.thoughts import ONLY_THOUGHT, told_later
from tuneproof.generation.jobs import Renderer, Request
from tuneproof.records.keys import content_key
from tuneproof.records.ledger import KEYS_PER_QUERY
from tuneproof.records.rows import Question, Result

Link = tuple[Request, Result | None]
Chain = list[Link]  # a question's turns for one sample, in order, up to the first without an answer
Known = Callable[[Iterable[str]], dict[str, Result]]
RENDERED_AT_ONCE = 64  # next turns: some 20 ms, in which the engine must have other work


def first_requests(render: Renderer, questions: Sequence[Question], samples: int) -> list[Request]:
    """The requests of every question's first turn, a request for each sample, in order."""
    return render([Conversation(question, tuple(range(samples))) for question in questions])


def rendered(first: Sequence[Request], turns: "Turns") -> tuple[list[Request], list[Request]]:
    """The requests that can be rendered, and those of them whose answers were never generated."""
    requests, missing = [], []
    for chain in turns.chains(first):
        requests += [request for request, _ in chain]
        missing += [request for request, result in chain if result is None]
    return requests, missing


@dataclass(frozen=True)
class Turns:
    """What renders a model's requests, and what is known of their results, by key."""

    render: Renderer
    known: Known

    def chains(self, first: Sequence[Request]) -> Iterator[Chain]:
        """The chain of every first request, in order; a part at a time, so that memory holds no more than it must."""
        for start in range(0, len(first), KEYS_PER_QUERY):
            yield from self.grown(self.links(first[start : start + KEYS_PER_QUERY]))

    def links(self, requests: Sequence[Request]) -> list[Link]:
        """Requests with their results."""
        results = self.known(request.key for request in requests)
        return [(request, results.get(request.key)) for request in requests]

    def grown(self, links: Iterable[Link]) -> list[Chain]:
        """Each link's chain, as far as answers are there. After a failed turn the others are errors."""
        growing = chains = [[link] for link in links]
        while growing:
            going = []
            for chain in growing:
                following = after(*chain[-1])
                if isinstance(following, Conversation):
                    going.append((chain, following))
                else:
                    chain += following
            requests = self.render([conversation for _, conversation in going]) if going else []
            for (chain, _), link in zip(going, self.links(requests), strict=True):
                chain.append(link)
            growing = [chain for chain, _ in going]
        return chains


def after(request: Request, result: Result | None) -> Conversation | list[Link]:
    """The conversation with its next turn; else the turns that cannot be asked any more, none after the last one."""
    conversation = request.conversation
    if conversation is None or result is None or conversation.turns_to_come == 1:
        return []
    told = told_later(result, request.prompt)
    if told is None:
        turns = range(conversation.turn + 1, len(conversation.question.all_turns))
        return [(unasked(request, turn), unanswered(request, result)) for turn in turns]
    thought, answer = told
    earlier = (*conversation.earlier, Earlier(request.key, result, answer, thought))
    return Conversation(conversation.question, (request.sample,), earlier)


def unasked(request: Request, turn: int) -> Request:
    """The request of a turn that comes after one that failed: it has no prompt, and is in no ledger."""
    key = content_key({"kind": "answer", "after": request.key, "turn": turn})
    return Request(request.id, request.sample, "", key, seed=0, turn=turn)


def unanswered(request: Request, result: Result) -> Result:
    """Its result."""
    error = f"turn {request.turn} has no answer to go on from: {result.error or ONLY_THOUGHT}"
    return Result(answer="", finish_reason="error", error=error, engine=result.engine)


class Open(Iterator[Request]):
    """Requests to be answered, the first turns first; what an answer makes possible comes behind them.

    Next turns are rendered when they are needed, all that are possible by then together: one by one they take twice
    as long, on the processor that also feeds the engine. It may end and go on: whoever has a request answered finds
    the next turn there afterwards, so none is missed.
    """

    def __init__(
        self, requests: Iterable[Request], turns: Turns, skipped: Callable[[int], None] = lambda count: None
    ) -> None:
        """Takes the open requests of all chains, and what leads on from an answer.

        `skipped` is told how many further turns need not be asked, as they are known or cannot be.
        """
        self._requests, self._turns = deque(sorted(requests, key=lambda request: request.turn or 0)), turns
        self._answered: deque[Link] = deque()
        self._skipped = skipped

    def __next__(self) -> Request:
        """The next request. Raises what rendering it does."""
        while not self._requests and self._answered:
            self._go_on()
        if not self._requests:
            raise StopIteration
        return self._requests.popleft()

    def answered(self, request: Request, result: Result) -> None:
        """Takes an answer."""
        if request.turns_to_come > 1:
            self._answered.append((request, result))

    def _go_on(self) -> None:
        count = min(len(self._answered), RENDERED_AT_ONCE)
        for _, *following in self._turns.grown([self._answered.popleft() for _ in range(count)]):
            if following and following[-1][1] is None:
                self._requests.append(following.pop()[0])
            self._skipped(len(following))
