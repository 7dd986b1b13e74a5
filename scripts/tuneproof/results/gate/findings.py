"""What the gate finds between this run and another revision's."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tuneproof.common.errors import UserError
from tuneproof.records.handovers import (
    ANSWERS,
    BENCHMARKS,
    DETAILS_DIRECTORY,
    JUDGEMENTS,
    QUESTIONS,
    benchmark_summary,
)
from tuneproof.results.analysis.reading.sources import HANDOVERS, role_of
from tuneproof.results.details.model import read_details
from tuneproof.results.details.run import BENCHMARK
from tuneproof.results.gate.changes import changed_most
from tuneproof.results.gate.decision import Findings, compare
from tuneproof.results.gate.items import NotComparableError, refuse_asked_otherwise, same_items
from tuneproof.results.gate.sides import Side, compared_benchmarks, pair, refuse_incomparable
from tuneproof.results.revisions import Revision
from tuneproof.results.words.decisions import ship_sentence
from tuneproof.settings.params import Gate, Params

ANOTHER_VERSION = "another version wrote it: run today's pipeline on that revision (docs/decision.md says how)"


@contextmanager
def naming(revision: Revision, folder: Path) -> Iterator[None]:
    """Lets an error in a copy of the revision's files name the revision: the copy is gone when somebody looks."""
    try:
        yield
    except UserError as error:
        place = error.where.removeprefix(f"{folder}/")
        if place == error.where:
            raise
        raise UserError(f"{revision.where}, {place}", error.found, ANOTHER_VERSION) from None


def fetch_run(revision: Revision, models: Sequence[str], params: Params, into: Path) -> list[str]:
    """Copies all that is compared of another run; returns the models that it has answers of, and raises without any."""
    revision.fetch([QUESTIONS.path], into)
    there = [model for model in models if revision.has(ANSWERS.path(model))]
    if not there:
        raise UserError(revision.where, f"it has no answers of {', '.join(models)}", "name one that has some")
    besides = [path for model in there for path in source_files(model, params) if revision.has(path)]
    revision.fetch([*(path for model in there for path in model_files(model)), *besides], into)
    return there


def model_files(model: str) -> list[Path]:
    """The files of one model that are compared."""
    return [ANSWERS.path(model), JUDGEMENTS.path(model), DETAILS_DIRECTORY / f"{model}.json"]


def source_files(model: str, params: Params) -> list[Path]:
    """The rows of the sources beside the judge, which a run may have or not; benchmarks where one of them decides."""
    decides = any(role_of(params.decision, BENCHMARK, name) != "shown" for name in params.benchmark.tasks)
    benchmarks = [BENCHMARKS.path(model), benchmark_summary(model).path] if decides else []
    return [*(handover.path(model) for handover in HANDOVERS.values()), *benchmarks]


def compare_runs(models: Sequence[str], new: Sequence[str], other: Path, against: str, gate: Gate) -> Findings:
    """Compares this run with the one whose files lie in `other`; `new` models have none there."""
    details = [read_details(DETAILS_DIRECTORY / f"{model}.json") for model in (*models, *new)]
    now, before = details[0].run, read_details(other / DETAILS_DIRECTORY / f"{models[0]}.json").run
    refuse_incomparable(now, before)
    benchmarks = compared_benchmarks(now)
    here, there = Side.read(Path(), models, benchmarks), Side.read(other, models, benchmarks)
    refuse_asked_otherwise(here.benchmarks, there.benchmarks)
    pairing = pair(here, there)
    items = {name: same_items(here.benchmarks[name], there.benchmarks[name]) for name in benchmarks}
    if len(pairing.questions) < now.min_questions:
        found = f"only {len(pairing.questions)} questions are the same in both runs ({pairing.unpaired} are not)"
        raise NotComparableError(
            f"revision {against[:60]}", found, f"decision.min_questions asks for {now.min_questions}"
        )
    decisions = compare(here, there, pairing, items, now, gate)
    return Findings(
        against=against,
        run=now,
        before=before,
        shipping=[text for text in map(ship_sentence, details) if text],
        gate=gate,
        questions=len(pairing.questions),
        unpaired=pairing.unpaired,
        unpaired_items={name: one.unpaired for name, one in items.items()},
        new=list(new),
        gone=[model for model in before.models if model not in now.models],
        decisions=decisions,
        changes=changed_most(here, there, pairing),
    )
