"""Every request of all tasks before any is answered, for an engine whose start is dear: a job elsewhere starts once."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.scoring.benchmarks.asking import Kind, RecordedModel, Request, Response
from tuneproof.scoring.benchmarks.harness import results_of
from tuneproof.scoring.benchmarks.likelihoods import Reference, instances
from tuneproof.scoring.benchmarks.tasks import Asked
from tuneproof.settings.evidence.benchmarks import Benchmarks

PLACEHOLDERS: dict[Kind, Response] = {
    "loglikelihood": (-1.0, False), "loglikelihood_tokens": (-1.0, False), "loglikelihood_rolling": -1.0,
    "generate_until": "?",
}  # fmt: skip


@dataclass
class GatheringModel(RecordedModel):
    """Takes note of the requests and answers none: what is not known is made up, and kept nowhere.

    `keys` are those of all requests, `missing` the ones that have no response.
    """

    keys: set[str] = field(default_factory=set, init=False)
    missing: dict[str, Request] = field(default_factory=dict, init=False)

    def _keyed(self, kind: Kind, instances: Sequence[Any]) -> Iterator[Request]:
        for request in super()._keyed(kind, instances):
            self.keys.add(request.key)
            yield request

    def _ask(self, missing: Sequence[Request], responses: dict[str, Response]) -> None:
        self.missing |= {request.key: request for request in missing}
        responses |= {request.key: PLACEHOLDERS[request.kind] for request in missing}


def gather(
    model: GatheringModel, tasks: Sequence[Asked], references: Sequence[Sequence[Reference]], settings: Benchmarks
) -> None:
    """Has the harness ask a model that only takes note. What it makes of made-up responses is nobody's result."""
    for asked in tasks:
        with suppress(UserError):  # one that is not about the responses comes again
            results_of(asked, model, settings)
    for one in references:
        model.loglikelihood_tokens(instances(one))
