"""The benchmark stage with `run_on: sagemaker`: a local AWS, and rows that come as a job would put them into S3."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import Project
from tests.made_up.benchmark_tasks import write_choice, write_generation
from tests.made_up.sagemaker_workspaces import BUCKET, SETTINGS
from tests.servers.aws.services import LocalAWS
from tests.stages.test_benchmark import BASE, SFT, rows_of
from tests.waiting import wait_until
from tuneproof.generation.likelihoods.parts import OpenRow
from tuneproof.records.handovers import BENCHMARKS

CHOICES, TEXTS, REFERENCES = 24, 4, 1  # requests: six items of four choices, four texts, one reference


@pytest.fixture
def aws() -> Iterator[LocalAWS]:
    with LocalAWS() as running:
        running.create_bucket(BUCKET)
        running.jobs.faults.seconds_to_start = 600  # rows are put there by the tests
        yield running


@pytest.fixture
def on_sagemaker(project: Project) -> Project:
    """A validated project with three tasks, whose models answer through vLLM in a job."""
    write_choice(project.root, 6)
    write_generation(project.root, TEXTS)
    (project.root / "questions.jsonl").write_text('{"instruction": "Why?", "output": "So."}\n')
    models = {name: {"id": folder, "prompt": "alpaca"} for name, folder in (("sft", SFT), ("baseline", BASE))}
    tasks: dict[str, Any] = {name: {"path": f"tasks/{name}.yaml"} for name in ("choice", "says")}
    project.set(generate__engine="vllm", generate__vllm={"max_model_len": 512}, models=models)
    project.set(questions__dataset="questions.jsonl", benchmark={"tasks": tasks | {"reference_likelihood": {}}})
    project.set(execution__generate__run_on="sagemaker", execution__sagemaker=SETTINGS)
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    return project


def open_rows(aws: LocalAWS, attempt: int) -> list[OpenRow]:
    """What a job was given to answer."""
    wanted = f"/input/{attempt}/open.jsonl"
    wait_until(lambda: bool(aws.jobs.running) and any(name.endswith(wanted) for name in aws.objects(BUCKET)))
    text = next(content for name, content in aws.objects(BUCKET).items() if name.endswith(wanted))
    return [OpenRow.model_validate_json(line) for line in text.splitlines()]


def answered(rows: Sequence[OpenRow]) -> bytes:
    """Rows as the job writes them, with numbers and texts that their keys give."""
    found = []
    for row in rows:
        number = -1 - int(row.key[:4], 16) / 1000
        result = [f"about {row.key[:4]}. And more." if part.wanted else [number, False] for part in row.parts]
        found.append(json.dumps({"key": row.key, "result": result}))
    return "".join(f"{line}\n" for line in found).encode()


def put(aws: LocalAWS, attempt: int, content: bytes) -> None:
    name = next(name for name in aws.objects(BUCKET) if name.endswith(f"/input/{attempt}/open.jsonl"))
    prefix = name.rpartition("/input/")[0]
    aws.clients["s3"].put_object(Bucket=BUCKET, Key=f"{prefix}/output/{attempt}/part-000000.jsonl", Body=content)


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    somebody = threading.Thread(target=work)
    somebody.start()
    yield
    somebody.join()


def finish_job(aws: LocalAWS) -> None:
    """Ends the job that runs; where every row had come, that is no failure."""
    aws.jobs.by_name[aws.jobs.running[0]].stopping.set()


@pytest.mark.exhaustive  # one job for answers is enough of them in `make test`
def test_one_job_answers_all_tasks_in_tokens_and_its_rows_are_in_the_ledger(
    on_sagemaker: Project, aws: LocalAWS
) -> None:
    sent: list[OpenRow] = []
    names: set[str] = set()

    def answer_all() -> None:
        sent.extend(open_rows(aws, 1))
        names.update(name.split("/input/1/")[1] for name in aws.objects(BUCKET) if "/input/1/" in name)
        put(aws, 1, answered(sent))
        finish_job(aws)

    with beside(answer_all):
        said = on_sagemaker.run_ok("benchmark.py", "sft", **aws.environment())
    assert len(sent) == len({row.key for row in sent}) == CHOICES + TEXTS + REFERENCES
    assert {name for name in names if not name.startswith("scripts/")} == {
        "params.yaml", "data/resolved/sft.json", "open.jsonl",
    }, "no reference and no target goes up"  # fmt: skip
    assert len(aws.jobs.descriptions()) == 1
    assert "29 requests were answered, 0 were in the ledger" in said
    arguments = aws.jobs.descriptions()[0]["AppSpecification"]["ContainerArguments"]
    assert arguments[-2:] == ["--module", "tuneproof.generation.likelihoods.answering"]
    responses = {row.response for row in rows_of(on_sagemaker) if row.criterion == "says"}
    texts = [row for row in sent if row.parts[0].wanted]
    assert responses == {f"about {row.key[:4]}" for row in texts}, "the harness's own ending is taken off here"
    assert aws.objects(BUCKET) == {}
    written = on_sagemaker.files()
    said = on_sagemaker.run_ok("benchmark.py", "sft")  # without AWS
    assert "0 requests were answered, 29 were in the ledger" in said
    assert on_sagemaker.files() == written


@pytest.mark.exhaustive
def test_after_an_interruption_only_what_is_open_goes_to_the_next_job(on_sagemaker: Project, aws: LocalAWS) -> None:
    first: list[OpenRow] = []
    second: list[OpenRow] = []

    def answer_some_and_end() -> None:
        first.extend(open_rows(aws, 1))
        put(aws, 1, answered(first[:20])[:-9])  # the last line is cut off
        finish_job(aws)

    with beside(answer_some_and_end):
        line = on_sagemaker.error_line("benchmark.py", "sft", **aws.environment())
    assert "it failed (somebody stopped it, or AWS did" in line
    assert not (on_sagemaker.root / BENCHMARKS.path("sft")).exists()

    def answer_the_rest() -> None:
        second.extend(open_rows(aws, 2))
        put(aws, 2, answered(second))
        finish_job(aws)

    with beside(answer_the_rest):
        said = on_sagemaker.run_ok("benchmark.py", "sft", **aws.environment())
    assert {row.key for row in second} == {row.key for row in first[19:]}
    assert "10 requests were answered, 19 were in the ledger" in said
    assert len(rows_of(on_sagemaker)) == 6 + TEXTS + REFERENCES
