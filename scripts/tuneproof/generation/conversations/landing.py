"""A model's answers as they come into the ledger, in the very rows that its file of answers will have."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from tuneproof.generation.conversations.thoughts import shown
from tuneproof.generation.conversations.turns import Chain, Turns, first_requests
from tuneproof.generation.jobs import Job, Request, load_engine
from tuneproof.records.ledger import KEYS_PER_QUERY, Ledger, in_parts
from tuneproof.records.rows import Answer, Question, Result


def finished(_: str, body: dict[str, Any]) -> Result:
    """A recorded answer. Raises a ValueError for what is none."""
    return Result.model_validate(body)


def answer_row(request: Request, result: Result, job: Job) -> Answer:
    """The row of an answer: as it was generated, but for a thought that is to be stripped."""
    row = shown(result, request.prompt, job.settings.thinking)
    return Answer(
        id=request.id, sample=request.sample, prompt=request.prompt, key=request.key, turn=request.turn,
        **row.model_dump(exclude={"engine", "repeated_token"}),
    )  # fmt: skip


class Landing:
    """Looks for a model's answers, each of which it gives once, with those to the turns before it."""

    def __init__(self, job: Job, questions: Sequence[Question], ledger: Ledger) -> None:
        """Renders every question's first request; loads no weights."""
        render = load_engine(job.resolved.engine).renderer(job)
        self.job, self.turns = job, Turns(render, partial(ledger.take, read=finished))
        self.open: list[Chain] = [[(request, None)] for request in first_requests(render, questions, job.samples)]

    def look(self) -> Iterator[tuple[list[Answer], int]]:
        """The rows of every chain that has grown since the last look, and how many of them were given before.

        An answer of one repeated token ends its chain unseen: if all are so, they will be no answers.
        """
        waiting, self.open = self.open, []
        for part in in_parts(waiting, KEYS_PER_QUERY):
            grown = self.turns.grown(self.turns.links([chain[-1][0] for chain in part]))
            for before, further in zip(part, grown, strict=True):
                chain = [*before[:-1], *further]
                there = [(request, result) for request, result in chain if result is not None]
                if any(result.repeated_token is not None for _, result in there):
                    continue
                if len(there) < len(chain):
                    self.open.append(chain)
                if len(there) >= len(before):
                    yield [answer_row(request, result, self.job) for request, result in there], len(before) - 1
