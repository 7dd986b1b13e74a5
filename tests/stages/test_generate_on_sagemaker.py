"""The generate stage with `run_on: sagemaker`, against a local AWS that really runs the job."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.made_up.sagemaker_workspaces import BUCKET, sagemaker_workspace, started
from tests.servers.aws import faults as aws_faults
from tests.servers.aws.services import LocalAWS
from tests.stages.test_generate import recorded_rows
from tests.tuneproof.generation.engines.workspaces import Workspace, rendered
from tests.waiting import wait_until
from tuneproof.generation.engines import transformers
from tuneproof.generation.handing_over import FinishedRow
from tuneproof.records.rows import Result

HUB_TOKEN = "hf_planted0123456789"
SECRETS = {"HF_TOKEN": HUB_TOKEN, "OPENAI_API_KEY": "sk-planted-1234567890abcdef"}
REFERENCE = "A reference answer that is nobody's business but the judge's."


@pytest.fixture(scope="module")
def server() -> Iterator[LocalAWS]:
    with LocalAWS() as running:
        yield running


@pytest.fixture(scope="module")
def finished(server: LocalAWS, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """A workspace with a finished run whose data stayed in S3, secrets planted all around it, and what it said."""
    server.create_bucket(BUCKET)
    server.clients["secretsmanager"].create_secret(Name="the-hub", SecretString=json.dumps({"HF_TOKEN": HUB_TOKEN}))
    root = tmp_path_factory.mktemp("finished") / "workspace"
    workspace = sagemaker_workspace(root, keep=True, hf_token_secret="the-hub")
    workspace.set(embedded=True)
    workspace.change(engine="embedded")  # which starts in a moment; real engines answer in tests/pipeline
    (workspace.root / ".env").write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    path = workspace.root / "data/questions.jsonl"
    path.write_text(path.read_text().replace('"reference":null', json.dumps({"reference": REFERENCE})[1:-1]))
    return workspace, workspace.run_ok("generate.py", "sft", **server.environment())


@pytest.fixture
def aws(server: LocalAWS) -> LocalAWS:
    """The local AWS with nothing in it but a bucket."""
    server.reset()
    server.create_bucket(BUCKET)
    return server


def test_the_answers_are_those_of_a_local_run_byte_for_byte(finished: tuple[Workspace, str]) -> None:
    workspace, _ = finished
    there = workspace.files()
    (workspace.root / ".cache" / "ledger.sqlite").rename(workspace.root / ".cache" / "ledger.kept")
    workspace.set(execution__generate__run_on="local")
    workspace.run_ok("generate.py", "sft")
    assert {name: content for name, content in workspace.files().items() if name.startswith("data/")} == {
        name: content for name, content in there.items() if name.startswith("data/")
    }


def test_switching_generates_nothing_and_asks_aws_nothing(finished: tuple[Workspace, str]) -> None:
    workspace, _ = finished
    for run_on in ("local", "sagemaker"):
        workspace.set(execution__generate__run_on=run_on)
        assert "12 answers are in the ledger, 0 to generate" in workspace.run_ok("generate.py", "sft")


def test_what_it_may_cost_is_said_before_and_what_it_took_afterwards(finished: tuple[Workspace, str]) -> None:
    lines = finished[1].splitlines()
    assert "; 0 answers are in the ledger, 12 to generate" in lines[0]
    assert lines[1] == (
        "model sft: 12 rows on ml.g5.2xlarge or ml.g6.2xlarge, 713 prompt tokens and about 288 answer tokens; "
        "an estimate from assumptions: 0.3 h, 0.38 USD at 1.515 USD an hour"
    )
    started = next(line for line in lines if "started the job" in line)
    assert "on ml.g5.2xlarge or ml.g6.2xlarge with vllm:tests; AWS ends it after 14400 s at the latest" in started
    assert any(": billed " in line and " s on ml.g5.2xlarge, 0." in line for line in lines)
    assert "sft on SageMaker: the job runs Python 3." in finished[1]


def test_planted_secrets_are_found_nowhere(finished: tuple[Workspace, str], server: LocalAWS) -> None:
    workspace, said = finished
    files = {name: content for name, content in workspace.files().items() if name != ".env"}
    everything = [
        json.dumps(server.jobs.descriptions(), default=str).encode(), *server.objects(BUCKET).values(),
        json.dumps(server.logs()).encode(), said.encode(), *files.values(), str(server.calls).encode(),
    ]  # fmt: skip
    assert "secretsmanager:GetSecretValue" in server.operations("role")
    for secret in (*SECRETS.values(), server.environment()["AWS_SECRET_ACCESS_KEY"]):
        assert not any(secret.encode() in content for content in everything)


def test_only_what_the_job_needs_goes_up(finished: tuple[Workspace, str], server: LocalAWS) -> None:
    objects = {name.split("/", 2)[2]: content for name, content in server.objects(BUCKET).items()}
    sent = {name.removeprefix("input/1/") for name in objects if name.startswith("input/1/")}
    assert {name for name in sent if not name.startswith("scripts/")} == {
        "params.yaml", "data/questions.jsonl", "data/resolved/sft.json", "open.jsonl",
    }  # fmt: skip
    assert "scripts/generate.py" in sent and "scripts/judge.py" not in sent
    assert all(name.endswith(".py") for name in sent if name.startswith("scripts/"))
    assert not any(REFERENCE.encode() in content for content in objects.values())
    home = str(finished[0].root).encode()
    assert not any(home in content for content in objects.values())


@pytest.mark.exhaustive
def test_the_data_in_s3_is_removed_after_success(tmp_path: Path, aws: LocalAWS) -> None:
    aws.faults += [aws_faults.slow_down(times=2), aws_faults.throttled("DescribeProcessingJob", times=1, after=1)]
    aws.jobs.faults.seconds_to_log = 3  # the stream is not there yet when it is looked for
    workspace = sagemaker_workspace(tmp_path / "workspace")
    said = workspace.run_ok("generate.py", "sft", **aws.environment())
    assert aws.objects(BUCKET) == {}
    assert "sft on SageMaker: generate sft: generated 12 of 12 answers" in said


def test_an_engine_that_needs_no_machine_runs_here(tmp_path: Path, aws: LocalAWS) -> None:
    workspace = sagemaker_workspace(tmp_path / "workspace")
    rows = [{"instruction": question.instruction, "answer": "Yes."} for question in workspace.questions]
    (workspace.root / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    workspace.change(engine="recorded", path="answers.jsonl", id=None, prompt=None)
    said = workspace.run_ok("generate.py", "sft", **aws.environment())
    assert "engine recorded needs no machine of its own and runs here" in said
    assert not aws.calls


def test_a_type_without_quota_is_left_out(tmp_path: Path, aws: LocalAWS) -> None:
    aws.jobs.faults.without_quota = {"ml.g5.2xlarge"}
    aws.jobs.faults.fails_with = "AlgorithmError: enough was seen"
    workspace = sagemaker_workspace(tmp_path / "workspace")
    said = workspace.run("generate.py", "sft", **aws.environment()).stderr
    assert "trying ml.g6.2xlarge" in said
    assert aws.jobs.descriptions()[0]["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.g6.2xlarge"


@pytest.mark.exhaustive
def test_a_failing_job_gives_its_own_reason(tmp_path: Path, aws: LocalAWS) -> None:
    workspace = sagemaker_workspace(tmp_path / "workspace", hf_token_secret="a-secret-that-is-not-there")
    line = workspace.error_line("generate.py", "sft", **aws.environment())
    assert line.startswith("error: model sft, job tuneproof-sft-")
    assert "it failed (execution.sagemaker.hf_token_secret a-secret-that-is-not-there: it cannot be read (" in line
    assert line.count("error:") == 1


@pytest.mark.exhaustive
def test_a_job_that_brings_nothing_is_not_started_again(tmp_path: Path, aws: LocalAWS) -> None:
    workspace = sagemaker_workspace(tmp_path / "workspace")
    aws.service.python, python = "/bin/true", aws.service.python
    try:
        line = workspace.error_line("generate.py", "sft", **aws.environment())
    finally:
        aws.service.python = python
    assert "completed, and 12 rows are not in S3" in line
    assert len(aws.jobs.descriptions()) == 1


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("no row\n", "this is no finished row ("),
        pytest.param(
            '{"key": "0", "result": {"answer": "", "finish_reason": "stop"}}\n',
            "a row with the key 0 was not asked for",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_a_strange_row_in_s3_stops_the_run_and_the_job(tmp_path: Path, aws: LocalAWS, row: str, found: str) -> None:
    workspace = sagemaker_workspace(tmp_path / "workspace")
    aws.jobs.faults.seconds_to_start = 60
    with beside(lambda: put(aws, row.encode())):
        assert found in workspace.error_line("generate.py", "sft", **aws.environment())
    assert aws.jobs.wait(aws.jobs.descriptions()[0]["ProcessingJobName"]).status == "Stopped"


@pytest.mark.exhaustive
def test_a_strange_row_stops_also_a_job_that_was_taken_up(tmp_path: Path, aws: LocalAWS) -> None:
    workspace = sagemaker_workspace(tmp_path / "workspace")
    aws.jobs.faults.seconds_to_start = 60
    process = started(workspace, aws)
    wait_until(lambda: bool(aws.jobs.running))
    process.kill()
    process.communicate()
    put(aws, b"no row\n")
    assert "this is no finished row (" in workspace.error_line("generate.py", "sft", **aws.environment())
    assert aws.jobs.running == []


@pytest.mark.exhaustive
def test_a_row_that_is_cut_off_is_taken_when_it_is_whole_and_a_job_that_brought_all_may_fail(
    tmp_path: Path, aws: LocalAWS
) -> None:
    workspace = sagemaker_workspace(tmp_path / "workspace")
    rows = "".join(
        FinishedRow(key=request.key, result=Result(answer="Yes.", finish_reason="stop")).model_dump_json() + "\n"
        for request in rendered(transformers, workspace.job(), workspace.questions)
    ).encode()
    aws.jobs.faults.seconds_to_start = 60

    def put_rows() -> None:
        put(aws, rows[:-20])
        wait_until(lambda: recorded_rows(workspace) == 11)
        put(aws, rows)
        wait_until(lambda: recorded_rows(workspace) == 12)
        aws.jobs.by_name[aws.jobs.running[0]].stopping.set()

    with beside(put_rows):
        said = workspace.run_ok("generate.py", "sft", **aws.environment())
    assert "every row had come when it failed (somebody stopped it, or AWS did" in said
    assert aws.objects(BUCKET) == {}


@pytest.mark.exhaustive
def test_data_that_may_not_be_deleted_is_a_warning_and_not_an_error(tmp_path: Path, aws: LocalAWS) -> None:
    aws.faults.append(aws_faults.access_denied("s3:DeleteObjects", "s3:DeleteObject"))
    said = sagemaker_workspace(tmp_path / "workspace").run_ok("generate.py", "sft", **aws.environment())
    assert "warning: s3://tuneproof-tests/jobs/sft-" in said
    assert "the job's data stays in S3, where you may delete it" in said


def put(aws: LocalAWS, rows: bytes) -> None:
    """Puts rows where the running job would."""
    wait_until(lambda: bool(aws.jobs.running))
    folder = next(name for name in aws.objects(BUCKET) if "/input/1/" in name).partition("/input/1/")[0]
    aws.clients["s3"].put_object(Bucket=BUCKET, Key=f"{folder}/output/1/part-000000.jsonl", Body=rows)


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Has something happen while the stage runs."""
    somebody = threading.Thread(target=work)
    somebody.start()
    yield
    somebody.join()
