"""What works beside a generate stage: the judge that follows, and the download of the weights of the models to come.

A companion is a script in a process of its own. The stage neither waits for it nor fails with it.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tuneproof.common.errors import UserError, one_line, say, warn
from tuneproof.common.interrupts import FIRST_SIGNAL_EXIT_CODE
from tuneproof.common.places import SCRIPTS
from tuneproof.common.processes import beside
from tuneproof.common.windows import SECONDS_TO_END
from tuneproof.generation.conversations.landing import finished
from tuneproof.generation.conversations.turns import Turns, first_requests, rendered
from tuneproof.generation.jobs import Job, load_engine
from tuneproof.generation.weights.arriving import bring, wait_for
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.records.handovers import QUESTIONS
from tuneproof.records.ledger import Ledger, ledger_path
from tuneproof.records.writing.timeline import timed
from tuneproof.settings.generation import WITH_WEIGHTS
from tuneproof.settings.params import GenerationParams, Params
from tuneproof.settings.worlds import model_settings
from tuneproof.sources.folders import not_here
from tuneproof.sources.hub.ahead import Pace

Bring = Callable[[ResolvedModel], None]
SECONDS_FOR_THE_JUDGE = SECONDS_TO_END + 5  # to take what it has paid for, and have it on disk
ENDED_BY_THE_STAGE = (FIRST_SIGNAL_EXIT_CODE + signal.SIGTERM, -signal.SIGTERM)  # the last while Python starts


@contextmanager
def followed_by_judge(params: GenerationParams, model: str) -> Iterator[None]:
    """Has the judge work beside this stage, where it is to follow."""
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
    """Has the weights of the models after this one arrive beside this stage."""
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
    if process.returncode not in (0, *ENDED_BY_THE_STAGE):
        warn(f"generate {model}: {ended}")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in [line for line in lines if line.startswith(("error:", "warning:", told))][-2:]:
        say(f"generate {model}: {one_line(line)}")


def weights_to_come(params: GenerationParams, model: str) -> list[str]:
    """The models after this one whose engines load weights on machines that are there already, as no job's are."""
    if params.execution.generate.run_on == "sagemaker":
        return []
    later = list(params.models)[list(params.models).index(model) + 1 :]
    return [key for key in later if params.generation(key).engine in WITH_WEIGHTS]


def fetch_weights_to_come(model: str) -> None:
    """Fetches the weights of the models after this one that lack answers, one model after the other."""
    present, params = model_settings(model, GenerationParams)
    bound = params.execution.generate.prefetch.megabytes_per_second
    pace = Pace(bound and bound * 1e6)
    with place_of_weights(Job.of(present, params), params, pace) as bring_there:
        for key in weights_to_come(params, model):
            try:
                later, params = model_settings(key, GenerationParams)
                if (on_nodes(params) or not_here(later)) and lacks_answers(Job.of(later, params)):
                    fetch(later, bring_there, pace)
            except UserError as error:
                warn(str(error))


@contextmanager
def place_of_weights(job: Job, params: GenerationParams, pace: Pace) -> Iterator[Bring]:
    """Gives what brings weights to where models answer: to this machine once the job's own are here, or a cluster."""
    if on_nodes(params):
        from tuneproof.generation.ray.ahead import on_the_nodes

        with on_the_nodes(job, params.execution.ray, pace) as to_the_nodes:
            yield to_the_nodes
        return
    wait_for(job.resolved)
    yield partial(bring, pace=pace)


def on_nodes(params: GenerationParams) -> bool:
    """Whether models answer on machines with caches of their own; a cluster of this one alone has this one's."""
    return params.execution.generate.run_on == "ray" and params.execution.ray.address != "local"


def lacks_answers(job: Job) -> bool:
    """Whether a model has answers to generate; weights are not fetched for nothing."""
    render = load_engine(job.resolved.engine).renderer(job)
    with Ledger() as ledger:
        turns = Turns(render, partial(ledger.take, read=finished))
        return bool(rendered(first_requests(render, QUESTIONS.read(), job.samples), turns)[1])


def fetch(resolved: ResolvedModel, bring_there: Bring, pace: Pace) -> None:
    """Fetches what is missing of a model and its adapter."""
    before = pace.bytes
    with timed(f"generate {resolved.model}", "download") as done:
        try:
            bring_there(resolved)
        finally:
            done.units = round((pace.bytes - before) / 1e6)  # MB
    say(f"generate {resolved.model}: its weights are here, {done.units:,} MB of them fetched ahead")
