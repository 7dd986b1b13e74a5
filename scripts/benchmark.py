"""Puts a model to benchmarks: a harness's tasks and your own, item by item.

Reads   params.yaml, data/questions.jsonl, data/resolved/<model>.json, data/pins.json, tasks/, the ledger, the tasks'
        datasets
Writes  data/benchmarks/<model>.jsonl, and data/benchmarks/<model>.json with what the harness itself says; the ledger,
        and data/pins.json where a task's dataset is new
Run     python scripts/benchmark.py <model>
"""

import argparse
import importlib.util
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager

from tuneproof.common.environment import load_secrets
from tuneproof.common.errors import UserError, run, say, warn
from tuneproof.common.files import write_all
from tuneproof.common.places import project_root
from tuneproof.generation.conversations.messages import Conversation
from tuneproof.generation.jobs import Job, missing_package
from tuneproof.generation.likelihoods.asked import identity, in_messages, load_tokenizer
from tuneproof.generation.weights.tokens import (
    TEMPLATE_DATE,
    first_token_id,
    job_stop_token_ids,
    rendered,
    special_names,
)
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary
from tuneproof.records.files import record_text, rows_text
from tuneproof.records.handovers import BENCHMARKS, QUESTIONS, benchmark_summary
from tuneproof.records.ledger import Ledger
from tuneproof.scoring.benchmarks.asking import Answer, ChatTemplate, RecordedModel, Request, Save
from tuneproof.scoring.benchmarks.gathering import GatheringModel, gather
from tuneproof.scoring.benchmarks.harness import Evaluated, evaluate, harness_name, quiet_harness
from tuneproof.scoring.benchmarks.lighteval import running as lighteval
from tuneproof.scoring.benchmarks.likelihoods import VERSION, Reference, reference_likelihood
from tuneproof.scoring.benchmarks.messages import Messages
from tuneproof.scoring.benchmarks.tasks import INSTALL, Asked, load_tasks
from tuneproof.settings.evidence.benchmarks import REFERENCE_LIKELIHOOD, Benchmarks
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import model_settings
from tuneproof.sources.folders import tokenizer_folder, weights_folder
from tuneproof.sources.hub.pins import Pins
from tuneproof.sources.sentences import keep_model_of_sentences

AGAIN = "dvc repro --single-item --force benchmark && dvc repro"
OWN_VERSIONS = {REFERENCE_LIKELIHOOD: VERSION}
NOTHING = Evaluated([], BenchmarkSummary(harness="", tasks={}))


def main() -> None:
    """Takes what the ledger has, asks the rest, and writes a row for every item."""
    model = parse_arguments().model
    load_secrets()
    resolved, params = model_settings(model, Params)
    settings = params.benchmark
    say(f"benchmark {model}: {', '.join(settings.tasks) or 'no tasks are set'}")
    if not settings.tasks:
        write(model, NOTHING)
    elif settings.harness == "lm_eval" and importlib.util.find_spec("lm_eval") is None:
        write(model, without_harness(model, embedded=resolved.run == "embedded"))
    else:
        execution = params.execution.generate.of_model(model)
        job = Job(resolved, params.models[model], params.generation(model), execution)
        check_place(job, params)
        write(model, benchmark(job, params) if settings.harness == "lm_eval" else with_lighteval(job, settings))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a key of `models` in params.yaml")
    return parser.parse_args()


def without_harness(model: str, embedded: bool) -> Evaluated:
    """What the embedded world has without the harness: nothing, and why. Raises a UserError in any other world."""
    if not embedded:
        raise UserError("benchmark", "the package lm-eval is not installed", f"install it with `{INSTALL}`")
    reason = "lm-eval is not installed"
    say(f"benchmark {model}: left out, {reason}; `{INSTALL}`, then `{AGAIN}`, has it run")
    return Evaluated([], BenchmarkSummary(harness="", tasks={}, left_out=reason))


def check_place(job: Job, params: Params) -> None:
    """Raises a UserError for a model that no benchmark can be asked of, or not where its answers are made."""
    where = f"model {job.resolved.model}"
    if job.resolved.engine == "recorded":
        found = "its answers were recorded elsewhere, so a benchmark has nothing to ask"
        raise UserError(where, found, "give it an engine, or set benchmark.tasks: {}")
    if params.execution.generate.run_on == "ray" and job.resolved.engine in ("vllm", "transformers"):
        remedy = "set execution.generate.run_on: local on a machine with a GPU, or sagemaker, or benchmark.tasks: {}"
        raise UserError(where, "benchmarks do not run on a Ray cluster yet", remedy)
    if is_elsewhere(job, params) and (job.resolved.engine != "vllm" or params.benchmark.harness != "lm_eval"):
        found = "a job on SageMaker answers a benchmark through lm_eval and vLLM alone"
        remedy = "set engine: vllm and benchmark.harness: lm_eval, or execution.generate.run_on: local"
        raise UserError(where, found, remedy)


def is_elsewhere(job: Job, params: Params) -> bool:
    """Whether the model is asked in a job on SageMaker."""
    return params.execution.generate.run_on == "sagemaker" and job.resolved.engine in ("vllm", "transformers")


def benchmark(job: Job, params: Params) -> Evaluated:
    """Puts the model to every task, and pins the datasets that are new."""
    settings = params.benchmark
    quiet_harness()
    keep_model_of_sentences(project_root() / ".cache" / "nltk")
    pins = Pins.load()
    tasks = load_tasks(settings, pins)
    versions = {name: str(part.VERSION) for asked in tasks for name, part in asked.parts.items()}
    own = [name for name in settings.tasks if settings.is_reference_likelihood(name)]
    where = f"benchmark {job.resolved.model}"
    compared = own + [asked.name for asked in tasks if asked.compares_likelihoods]
    if in_messages(job):
        check_messages(job, compared, settings)
    with Ledger() as ledger, recorded_model(job, versions | OWN_VERSIONS, bool(compared), ledger, where) as model:
        if is_elsewhere(job, params):
            ask_elsewhere(job, params, model, tasks)
        found = evaluate(tasks, model, settings)
        for name in own:
            found = found.with_task(name, *reference_likelihood(name, references(job), model, settings.limit_of(name)))
        say(f"{where}: {model.asked} requests were answered, {model.known} were in the ledger")
    pins.save()
    return found


def ask_elsewhere(job: Job, params: Params, model: RecordedModel, tasks: Sequence[Asked]) -> None:
    """Has one job on SageMaker answer what is not known of all tasks together."""
    settings = params.benchmark
    own = [name for name in settings.tasks if settings.is_reference_likelihood(name)]
    shown = [references(job)[: settings.limit_of(name)] for name in own]
    noting = GatheringModel(model.identity, model.versions, model.start, model.ledger, model.template, model.where)
    gather(noting, tasks, shown, settings)
    model.start = lambda: start_on_sagemaker(job, params, noting.keys)
    model.ask_ahead(list(noting.missing.values()))


@contextmanager
def start_on_sagemaker(job: Job, params: Params, keys: set[str]) -> Iterator[Answer]:
    """What answers in a job that has vLLM and no harness: requests go there in tokens. `keys` are those of all."""
    from tuneproof.generation.likelihoods.parts import Given, OpenRow, Part, Wanted, work_in_tokens
    from tuneproof.generation.sagemaker import run as sagemaker
    from tuneproof.scoring.benchmarks import tokens

    tokenizer, context_tokens = load_tokenizer(job), job.settings.vllm.max_model_len

    def part(one: tokens.Part) -> Part:
        if isinstance(one, tokens.Text):
            return Part(token_ids=tuple(one.token_ids), wanted=Wanted(**vars(one.wanted)))
        return Part(token_ids=tuple(one.token_ids), start=one.start)

    with sagemaker.start_on_sagemaker(work_in_tokens(job, params, keys), params.execution.sagemaker) as ask:

        def answer(requests: Sequence[Request], save: Save) -> None:
            by_key = {request.key: request for request in requests}

            def saved(row: OpenRow, given: Given) -> Future[None]:
                request = by_key[row.key]
                return save(request, tokens.response_of_parts(request, given))

            parts = {key: tokens.parts_of(request, tokenizer, context_tokens) for key, request in by_key.items()}
            ask([OpenRow(key=key, parts=tuple(map(part, found))) for key, found in parts.items()], saved)

        yield answer


def references(job: Job) -> list[Reference]:
    """The questions that have a reference answer, with their prompts as the model is asked, and both as tokens."""
    tokenizer = load_tokenizer(job)
    asked = [
        question
        for question in QUESTIONS.read()  # a conversation's reference answers more than its first turn
        if question.reference and question.reference.strip() and not question.is_conversation
    ]
    prompts = rendered(
        job,
        [Conversation(question, (0,)) for question in asked],
        tokenizer,
        first_token_id(tokenizer),
        special_names(tokenizer),
    )
    texts = [question.reference or "" for question in asked]
    answers = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    return [
        Reference(question.id, question.asked, text, tuple(prompt), tuple(answer))
        for question, (_, _, prompt), text, answer in zip(asked, prompts, texts, answers, strict=True)
    ]


def with_lighteval(job: Job, settings: Benchmarks) -> Evaluated:
    """Has lighteval put the model to every task, in its own environment. Raises a UserError for what it cannot load."""
    where = f"benchmark {job.resolved.model}"
    if job.resolved.engine == "endpoint" or job.resolved.adapter:
        found = f"lighteval takes no {'adapter' if job.resolved.adapter else 'model behind an endpoint'} here"
        raise UserError(where, found, "set benchmark.harness: lm_eval")
    dtype = job.settings.transformers.dtype
    child = lighteval.Child(
        python=lighteval.find_python(),
        files=lighteval.linked_files(weights_folder(job.resolved), tokenizer_folder(job.resolved)),
        identity={"model": job.resolved.content, "dtype": dtype},
        dtype=dtype,
        batch_size=job.execution.transformers.batch_size,
        device=job.execution.transformers.device,
    )
    with Ledger() as ledger:
        return lighteval.evaluate(settings, child, ledger, where)


def check_messages(job: Job, compared: list[str], settings: Benchmarks) -> None:
    """Raises a UserError for tasks that cannot be asked in chat messages, before anything is paid for."""
    where, tokenizer = f"model {job.resolved.model}", f"models.{job.resolved.model}.tokenizer"
    if compared:
        found = f"{', '.join(compared)} compares likelihoods, and a chat gives no log-probabilities of a prompt"
        raise UserError(where, found, f"name {tokenizer} where its server has completions, or leave the task out")
    if not settings.chat_template:
        found = "its endpoint is asked in chat messages, and benchmark.chat_template is false"
        raise UserError(where, found, f"set it to true, or name {tokenizer} where its server has completions")


def recorded_model(
    job: Job, versions: dict[str, str], compares_likelihoods: bool, ledger: Ledger, where: str
) -> RecordedModel:
    """The model as the harness sees it; its weights are loaded when a request is not known yet."""
    arguments = {"strftime_now": TEMPLATE_DATE.strftime, **job.model.chat_template_kwargs}
    template = Messages(where) if in_messages(job) else ChatTemplate(lambda: load_tokenizer(job), arguments, where)
    return RecordedModel(
        identity(job, harness_name()), versions, lambda: start(job, compares_likelihoods), ledger, template, where
    )


def start(job: Job, compares_likelihoods: bool) -> AbstractContextManager[Answer]:
    """What answers the harness's requests: the model's own engine, as generate sets it up."""
    if job.resolved.engine == "endpoint":
        return start_endpoint(job, compares_likelihoods)
    return start_vllm(job) if job.resolved.engine == "vllm" else start_transformers(job)


@contextmanager
def start_transformers(job: Job) -> Iterator[Answer]:
    """A model of transformers, which also plays the small models of the embedded world."""
    from tuneproof.generation.engines.transformers import load_model
    from tuneproof.scoring.benchmarks.huggingface import answer_with

    folder = weights_folder(job.resolved)
    if importlib.util.find_spec("torch") is None:
        raise missing_package(job.resolved.engine, "torch", "benchmarks")
    model, description = load_model(job, folder)
    say(f"benchmark {job.resolved.model}: {description.version} on {description.device} in {description.dtype}")
    tokenizer = load_tokenizer(job)
    stops = job_stop_token_ids(job, tokenizer, tokenizer_folder(job.resolved))
    yield answer_with(model, tokenizer, stops, job.execution.transformers.batch_size)


@contextmanager
def start_vllm(job: Job) -> Iterator[Answer]:
    """VLLM in this process with the model's adapter; nothing of it is left behind, however this ends."""
    from tuneproof.generation.engines.vllm import start_engine
    from tuneproof.generation.likelihoods.vllm import VllmModel
    from tuneproof.scoring.benchmarks.tokens import Runs, answer_with

    tokenizer = load_tokenizer(job)
    with start_engine(job) as engine:
        model = VllmModel(engine, tokenizer)
        yield answer_with(model, tokenizer, Runs(model.run, model.at_once))


@contextmanager
def start_endpoint(job: Job, compares_likelihoods: bool) -> Iterator[Answer]:
    """A model behind an endpoint, in tokens where its tokenizer is known; what it cannot is told before it is asked."""
    from tuneproof.generation.likelihoods.served import check_likelihoods, served, served_context_tokens
    from tuneproof.scoring.benchmarks import messages, tokens

    if in_messages(job):
        with served(job, "chat/completions") as model:
            yield messages.answer_with(model, tokens.Runs(model.run, model.at_once, model.client.stop))
        return
    tokenizer = load_tokenizer(job)
    if compares_likelihoods:
        check_likelihoods(job, tokenizer)
    with served(job, "completions", served_context_tokens(job, tokenizer)) as model:
        yield tokens.answer_with(model, tokenizer, tokens.Runs(model.run, model.at_once, model.client.stop))


def write(model: str, found: Evaluated) -> None:
    """Writes both files, or none of them, and says what is in them."""
    path = BENCHMARKS.path(model)
    write_all([(path, [rows_text(found.rows)]), (benchmark_summary(model).path, [record_text(found.summary)])])
    told = ", ".join(
        f"{name} {one.metric} {one.mean:.3f}" + (f" ± {one.standard_error:.3f}" if one.standard_error else "")
        for name, one in found.summary.tasks.items()
    )
    if found.summary.tasks and not all(one.items > 1 for one in found.summary.tasks.values()):
        warn(f"benchmark {model}: one item alone has no interval; raise limit")
    say(f"benchmark {model}: wrote {len(found.rows)} rows to {path}{f' ({told})' if told else ''}")


if __name__ == "__main__":
    run(main)
