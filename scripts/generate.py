"""Generates a model's answer to every test question.

Reads   params.yaml, data/questions.jsonl, data/resolved/<model>.json, the ledger
Writes  data/answers/<model>.jsonl, data/engines/<model>.json, the ledger
Run     python scripts/generate.py <model> [--only FILE] [--rows DIRECTORY] [--prefetch]
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, run, say
from tuneproof.common.files import write_json
from tuneproof.common.progress import Progress
from tuneproof.endpoint.access import require_keys
from tuneproof.generation.companions import fetch_weights_to_come, followed_by_judge, with_weights_to_come
from tuneproof.generation.conversations.landing import answer_row, finished
from tuneproof.generation.conversations.turns import Open, Turns, first_requests, rendered
from tuneproof.generation.handing_over import OpenRow, handed_over
from tuneproof.generation.jobs import Ask, Engine, Job, Request, load_engine
from tuneproof.generation.weights.broken_weights import EARLY_ANSWERS, require_no_runs
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import ANSWERS, ENGINES_DIRECTORY, QUESTIONS
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Answer, EngineDescription, Question, Result
from tuneproof.records.writing.timeline import plan, timed
from tuneproof.settings.generation import WITH_WEIGHTS
from tuneproof.settings.params import GenerationParams, Params
from tuneproof.settings.worlds import model_settings


def main() -> None:
    """Takes what the ledger has, generates the rest, and writes the answers whole."""
    arguments = parse_arguments()
    load_secrets()
    if arguments.prefetch:
        fetch_weights_to_come(arguments.model)
        return
    kind = GenerationParams if arguments.only else Params  # a job elsewhere is told of no judge
    resolved, params = model_settings(arguments.model, kind)
    job = Job.of(resolved, params)
    questions = QUESTIONS.read()
    engine = load_engine(resolved.engine)

    render = engine.renderer(job)
    first = first_requests(render, questions, job.samples)
    with Ledger() as ledger:
        turns = Turns(render, partial(ledger.take, read=finished))
        if arguments.only:
            first = chosen(first, turns, ledger, arguments.only)
        requests, missing = rendered(first, turns)
        to_come = sum(request.turns_to_come for request in missing)
        known = sum(request.turns_to_come for request in first) - to_come
        say(
            f"generate {resolved.model}: {len(questions)} questions x {job.samples} with {resolved.id} on "
            f"{resolved.engine}; {known} answers are in the ledger, {to_come} to generate"
        )
        if missing:
            say_plan(resolved.model, params, to_come)
            if isinstance(params, Params):
                require_judge(params)
            ledger.require_space(to_come)
        with ExitStack() as companions:
            if missing:
                companions.enter_context(followed_by_judge(params, resolved.model))
                companions.enter_context(with_weights_to_come(params, resolved.model))
                generate(job, start(engine, job, params, questions, requests), missing, turns, ledger, arguments.rows)
            if not arguments.only:
                write(job, first, turns)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a key of `models` in params.yaml")
    parser.add_argument(
        "--only", type=Path, metavar="FILE", help="only the rows whose keys stand in this file; no out is written"
    )
    parser.add_argument(
        "--rows", type=Path, metavar="DIRECTORY", help="also hand finished rows over in files here, every few seconds"
    )
    parser.add_argument(
        "--prefetch", action="store_true", help="only fetch the weights of the models after this one, where needed"
    )
    return parser.parse_args()


def chosen(first: Sequence[Request], turns: Turns, ledger: Ledger, only: Path) -> list[Request]:
    """The first requests of what a file of keys names; the answers to earlier turns that it holds are recorded.

    Raises a UserError for a key that is not rendered here.
    """
    rows = read_rows(only, OpenRow, made_by="generate.py")
    ledger.put_many((row.key, "answer", row.result.model_dump()) for one in rows for row in one.earlier)
    wanted = {row.key for row in rows}
    chains = [[request.key for request, _ in chain] for chain in turns.chains(first)]
    strange = wanted - {key for keys in chains for key in keys}
    if strange:
        found = f"{len(strange)} of {len(wanted)} prompts are rendered otherwise here, so their answers would differ"
        remedy = "use the same code, settings and release of transformers as where the file was made"
        raise UserError(str(only), found, remedy)
    return [request for request, keys in zip(first, chains, strict=True) if not wanted.isdisjoint(keys)]


def start(
    engine: Engine, job: Job, params: GenerationParams, questions: Sequence[Question], requests: Sequence[Request]
) -> AbstractContextManager[Ask]:
    """What answers: the engine here, or the same engine in a job on SageMaker or on a Ray cluster."""
    run_on = params.execution.generate.run_on
    if run_on == "local":
        return engine.start(job)
    if job.resolved.engine not in (*WITH_WEIGHTS, "embedded"):
        say(f"generate {job.resolved.model}: engine {job.resolved.engine} needs no machine of its own and runs here")
        return engine.start(job)
    if run_on == "ray":
        from tuneproof.generation.ray.run import start_on_ray

        return start_on_ray(job, params.execution.ray)
    from tuneproof.generation.sagemaker.run import start_on_sagemaker
    from tuneproof.generation.sagemaker.upload import generation

    return start_on_sagemaker(generation(job, params, questions, requests), params.execution.sagemaker)


def generate(
    job: Job,
    started: AbstractContextManager[Ask],
    missing: Sequence[Request],
    turns: Turns,
    ledger: Ledger,
    rows: Path | None,
) -> None:
    """Has the missing answers and their later turns generated, each into the ledger as it finishes, with progress."""
    what, counts = f"generate {job.resolved.model}", Counter[str]()
    to_come = sum(request.turns_to_come for request in missing)
    with ExitStack() as stack:
        with timed(what, "start") as begun:
            ask = stack.enter_context(started)
            begun.units = 1
        hand_over = stack.enter_context(handed_over(rows))
        progress = stack.enter_context(Progress(what, to_come, "answers", lambda: speed(counts, progress.seconds)))
        answered = stack.enter_context(timed(what, "answers"))
        requests = Open(missing, turns, skipped=progress.advance)
        try:
            ask(requests, Arriving(job, requests, ledger, hand_over, progress, counts).save)
        finally:
            answered.units = counts["answers"]
            say(f"{what}: generated {counts['answers']} of {to_come} answers {tally(counts, progress.seconds)}")


@dataclass(frozen=True)
class Arriving:
    """Takes the answers of one model as they finish: into the ledger, and to who carries them away; counts them."""

    job: Job
    requests: Open
    ledger: Ledger
    hand_over: Callable[[str, Result], None]
    progress: Progress
    counts: Counter[str]

    def save(self, request: Request, result: Result) -> Future[None]:
        """Takes one answer. Raises a UserError where none of the first is an answer."""
        saved, counts = self.ledger.record(request.key, "answer", result.model_dump()), self.counts
        self.hand_over(request.key, result)
        counts["answers"] += 1
        counts["errors"] += result.finish_reason == "error"
        counts["runs"] += result.repeated_token is not None
        counts["prompt tokens"] += result.prompt_tokens or 0
        counts["answer tokens"] += result.answer_tokens or 0
        self.progress.advance()
        self.requests.answered(request, result)
        if counts["runs"] == counts["answers"] == EARLY_ANSWERS:
            require_no_runs(self.job, counts["runs"], counts["answers"])
        return saved


def speed(counts: Counter[str], seconds: float) -> str:
    """Tokens a second; of engines that count none, answers."""
    done, unit = (counts["answer tokens"], "tokens") if counts["answer tokens"] else (counts["answers"], "answers")
    return f"{done / max(seconds, 1e-9):,.0f} {unit}/s"


def tally(counts: Counter[str], seconds: float) -> str:
    """What came of the answers, in words."""
    errors = f"{counts['errors']} errors"
    errors += f", {counts['runs']} of one repeated token" if counts["runs"] else ""
    tokens = f", {counts['prompt tokens']:,} prompt and {counts['answer tokens']:,} answer tokens"
    return f"({errors}){tokens if counts['answer tokens'] else ''} in {seconds:.1f} s, {speed(counts, seconds)}"


def say_plan(model: str, params: GenerationParams, to_come: int) -> None:
    """Says how long this will take by earlier runs of the clone, if there were any."""
    stage = f"generate {model}"
    coming = {(stage, "start"): 1, (stage, "answers"): to_come}
    if isinstance(params, Params) and params.judge.backend == "openai":
        coming[f"judge {model}", "verdicts"] = to_come
    line = plan(stage, coming)
    if line:
        say(line)


def write(job: Job, first: Sequence[Request], turns: Turns) -> None:
    """Writes the answers in the questions' order, and which engines made them.

    Raises a UserError, and writes nothing, where most of them are no answers but what broken weights give.
    """
    reasons: Counter[str] = Counter()
    engines: Counter[str] = Counter()
    runs = 0
    # Answers that validate adopted from a colleague's data came without their engine.
    unrecorded = EngineDescription(engine=job.resolved.engine, version="not recorded")

    def answers() -> Iterator[Answer]:
        nonlocal runs
        for request, result in results(first, turns):
            row = answer_row(request, result, job)
            reasons[row.finish_reason] += 1
            runs += result.repeated_token is not None
            engines[(result.engine or unrecorded).model_dump_json()] += 1
            yield row
        require_no_runs(job, runs, reasons.total())

    path = ANSWERS.path(job.resolved.model)
    write_rows(path, answers())
    made_by = [json.loads(engine) | {"answers": count} | job.description() for engine, count in sorted(engines.items())]
    write_json(ENGINES_DIRECTORY / f"{job.resolved.model}.json", made_by)
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    say(f"generate {job.resolved.model}: wrote {reasons.total()} answers to {path} ({counts})")


def results(first: Sequence[Request], turns: Turns) -> Iterator[tuple[Request, Result]]:
    """Every request with its result, the turns of a conversation one after the other."""
    for chain in turns.chains(first):
        for request, result in chain:
            if result is None:
                raise RuntimeError("an answer that was generated is not in the ledger")
            yield request, result


def require_judge(params: Params) -> None:
    """Raises a UserError when the judge could not be asked, before GPU hours are spent on answers for it."""
    require_keys(params.judge, params.execution.judge)


if __name__ == "__main__":
    run(main)
