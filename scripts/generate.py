"""Generates a model's answer to every test question.

Reads   params.yaml, data/questions.jsonl, data/resolved/<model>.json, the ledger
Writes  data/answers/<model>.jsonl, data/engines/<model>.json, the ledger
Run     python scripts/generate.py <model> [--only FILE] [--rows DIRECTORY] [--prefetch]
"""

import argparse
import json
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, one_line, run, say, warn
from tuneproof.common.files import write_json
from tuneproof.common.interrupts import FIRST_SIGNAL_EXIT_CODE
from tuneproof.common.places import SCRIPTS
from tuneproof.common.processes import beside
from tuneproof.common.progress import Progress
from tuneproof.common.windows import SECONDS_TO_END
from tuneproof.endpoint.access import require_keys
from tuneproof.generation.broken_weights import EARLY_ANSWERS, require_no_runs
from tuneproof.generation.conversations.landing import answer_row, finished
from tuneproof.generation.conversations.turns import Open, Turns, first_requests
from tuneproof.generation.handing_over import OpenRow, handed_over
from tuneproof.generation.jobs import Ask, Engine, Job, Request, load_engine
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import ANSWERS, ENGINES_DIRECTORY, QUESTIONS
from tuneproof.records.ledger import Ledger, ledger_path
from tuneproof.records.rows import Answer, EngineDescription, Question, Result
from tuneproof.records.writing.timeline import plan, timed
from tuneproof.settings.generation import WITH_WEIGHTS
from tuneproof.settings.params import GenerationParams, Params
from tuneproof.settings.worlds import model_settings
from tuneproof.sources.folders import not_here
from tuneproof.sources.hub.ahead import Pace, fetch_weights
from tuneproof.sources.hub.downloads import Resolved

ENGINES_WITH_WEIGHTS = ("vllm", "transformers", "embedded")
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_FOR_THE_JUDGE = SECONDS_TO_END + 5  # to take what it has paid for, and have it on disk
ENDED_BY_THIS_STAGE = (FIRST_SIGNAL_EXIT_CODE + signal.SIGTERM, -signal.SIGTERM)  # the last while Python starts


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
    if job.resolved.engine not in ENGINES_WITH_WEIGHTS:
        say(f"generate {job.resolved.model}: engine {job.resolved.engine} needs no machine of its own and runs here")
        return engine.start(job)
    if run_on == "ray":
        from tuneproof.generation.ray.run import start_on_ray

        return start_on_ray(job, params.execution.ray)
    from tuneproof.generation.sagemaker.run import start_on_sagemaker
    from tuneproof.generation.sagemaker.upload import generation

    return start_on_sagemaker(generation(job, params, questions, requests), params.execution.sagemaker)


@contextmanager
def followed_by_judge(params: GenerationParams, model: str) -> Iterator[None]:
    """Has the judge work beside this stage, where it is to follow; the stage neither waits for it nor fails with it."""
    if not isinstance(params, Params) or params.judge.backend != "openai" or not params.execution.judge.follow:
        yield
        return
    log = ledger_path().with_name(f"judge-{model}.log")
    say(f"generate {model}: the judge follows, and logs to {log}")
    ended = "the judge that followed had ended; the judge stage will say why, if it still holds"
    with companion(model, ["judge.py", model, "--follow"], log, SECONDS_FOR_THE_JUDGE, ended, f"judge {model}: bought"):
        yield


@contextmanager
def with_weights_to_come(params: GenerationParams, model: str) -> Iterator[None]:
    """Has the weights of the models after this one arrive beside this stage, which neither waits nor fails for it."""
    prefetch = isinstance(params, Params) and params.execution.generate.prefetch.enabled
    later = weights_to_come(params, model) if prefetch else []
    if not later:
        yield
        return
    log = ledger_path().with_name(f"prefetch-{model}.log")
    say(f"generate {model}: meanwhile what is missing of the weights of {', '.join(later)} arrives; log: {log}")
    ended = "the download beside it had ended; what is missing is fetched when its turn comes"
    with companion(model, ["generate.py", model, "--prefetch"], log, SECONDS_TO_END, ended, "generate "):
        yield


@contextmanager
def companion(
    model: str, arguments: Sequence[str], log: Path, seconds_to_end: float, ended: str, told: str
) -> Iterator[None]:
    """Has a script work beside this stage; afterwards says whether it had `ended` before, and the last it `told`."""
    script, *rest = arguments
    with beside([sys.executable, str(SCRIPTS / script), *rest], log, seconds_to_end) as process:
        yield
    if process.returncode not in (0, *ENDED_BY_THIS_STAGE):
        warn(f"generate {model}: {ended}")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in [line for line in lines if line.startswith(("error:", "warning:", told))][-2:]:
        say(f"generate {model}: {one_line(line)}")


def weights_to_come(params: GenerationParams, model: str) -> list[str]:
    """The models after this one whose engines load weights on this machine."""
    if params.execution.generate.run_on != "local":
        return []
    later = list(params.models)[list(params.models).index(model) + 1 :]
    return [key for key in later if params.generation(key).engine in WITH_WEIGHTS]


def fetch_weights_to_come(model: str) -> None:
    """Fetches the weights of the models after this one that lack answers, one model after the other."""
    resolved, params = model_settings(model, GenerationParams)
    settings = params.execution.generate.prefetch
    pace = Pace(settings.megabytes_per_second and settings.megabytes_per_second * 1e6)
    while not_here(resolved):  # this model's own come first
        time.sleep(SECONDS_BETWEEN_LOOKS)
    for key in weights_to_come(params, model):
        try:
            resolved, params = model_settings(key, GenerationParams)
            parts = not_here(resolved)
            if parts and lacks_answers(Job.of(resolved, params)):
                fetch(key, parts, pace)
        except UserError as error:
            warn(str(error))


def lacks_answers(job: Job) -> bool:
    """Whether a model has answers to generate; weights are not fetched for nothing."""
    render = load_engine(job.resolved.engine).renderer(job)
    with Ledger() as ledger:
        turns = Turns(render, partial(ledger.take, read=finished))
        return bool(rendered(first_requests(render, QUESTIONS.read(), job.samples), turns)[1])


def fetch(model: str, parts: Sequence[Resolved], pace: Pace) -> None:
    """Fetches what is missing of a model and its adapter."""
    before = pace.bytes
    with timed(f"generate {model}", "download") as done:
        try:
            for part in parts:
                fetch_weights(part, pace, lambda folder: shutil.disk_usage(folder).free)
        finally:
            done.units = round((pace.bytes - before) / 1e6)  # MB
    say(f"generate {model}: its weights are here, {done.units:,} MB of them fetched ahead")


def rendered(first: Sequence[Request], turns: Turns) -> tuple[list[Request], list[Request]]:
    """The requests that can be rendered, and those of them whose answers were never generated."""
    requests, missing = [], []
    for chain in turns.chains(first):
        requests += [request for request, _ in chain]
        missing += [request for request, result in chain if result is None]
    return requests, missing


def generate(
    job: Job,
    started: AbstractContextManager[Ask],
    missing: Sequence[Request],
    turns: Turns,
    ledger: Ledger,
    rows: Path | None,
) -> None:
    """Has the missing answers and their later turns generated, each into the ledger as it finishes, with progress."""
    counts: Counter[str] = Counter()
    requests, to_come = Open(missing, turns), sum(request.turns_to_come for request in missing)

    def save(request: Request, result: Result) -> Future[None]:
        saved = ledger.record(request.key, "answer", result.model_dump())
        hand_over(request.key, result)
        counts["answers"] += 1
        counts["errors"] += result.finish_reason == "error"
        counts["runs"] += result.repeated_token is not None
        counts["prompt tokens"] += result.prompt_tokens or 0
        counts["answer tokens"] += result.answer_tokens or 0
        progress.advance()
        for _ in range(requests.answered(request, result)):
            progress.advance()
        if counts["runs"] == counts["answers"] == EARLY_ANSWERS:
            require_no_runs(job, counts["runs"], counts["answers"])
        return saved

    def speed() -> str:
        done, unit = (counts["answer tokens"], "tokens") if counts["answer tokens"] else (counts["answers"], "answers")
        return f"{done / max(progress.seconds, 1e-9):,.0f} {unit}/s"

    what = f"generate {job.resolved.model}"
    with ExitStack() as stack:
        with timed(what, "start") as begun:
            ask = stack.enter_context(started)
            begun.units = 1
        hand_over = stack.enter_context(handed_over(rows))
        progress = stack.enter_context(Progress(what, to_come, "answers", speed))
        answered = stack.enter_context(timed(what, "answers"))
        try:
            ask(requests, save)
        finally:
            answered.units = counts["answers"]
            errors = f"{counts['errors']} errors"
            errors += f", {counts['runs']} of one repeated token" if counts["runs"] else ""
            tokens = f", {counts['prompt tokens']:,} prompt and {counts['answer tokens']:,} answer tokens"
            say(
                f"{what}: generated {counts['answers']} of {to_come} answers ({errors})"
                f"{tokens if counts['answer tokens'] else ''} in {progress.seconds:.1f} s, {speed()}"
            )


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
