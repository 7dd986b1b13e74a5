"""Benchmarks of a model behind an endpoint: scored as its weights are, and told in one line what a server cannot."""

import re
import signal
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.benchmark_tasks import write_choice, write_generation
from tests.pipeline.test_benchmark_engines import finish, recorded, start
from tests.pipeline.vllm_server import free_port
from tests.servers.openai.completions import SmallModel
from tests.servers.openai.faults import Faults, canonical, share_of
from tests.servers.openai.server import OpenAIServer
from tests.stages.test_benchmark import BASE, SFT, rows_of, summary, with_models
from tests.waiting import PATIENCE_SECONDS, wait_until
from tuneproof.common.windows import workers_for
from tuneproof.records.handovers import BENCHMARKS

CHOICE, SAYS = {"path": "tasks/choice.yaml"}, {"path": "tasks/says.yaml"}


@pytest.fixture(scope="module")
def small() -> SmallModel:
    return SmallModel(ROOT / SFT)


@pytest.fixture
def server(small: SmallModel) -> Iterator[OpenAIServer]:
    with OpenAIServer(completer=small) as running:
        yield running


def with_served(project: Project, server: OpenAIServer, tasks: dict[str, Any], **settings: Any) -> Project:
    """A validated project in which `sft` is the weights and `served` the same model behind an endpoint."""
    write_choice(project.root, 12)
    write_generation(project.root, 6)
    with_models(project, **tasks)
    served = {"engine": "endpoint", "id": "small", "base_url": server.base_url, "served_as": "ours", "prompt": "chat"}
    project.set(models=project.params()["models"] | {"served": served | {"tokenizer": SFT} | settings})
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    return project


def requests(server: OpenAIServer) -> int:
    return server.counts.requests.total()


def test_an_endpoint_scores_every_item_as_the_weights_do(project: Project, server: OpenAIServer) -> None:
    with_served(project, server, {"choice": CHOICE, "says": SAYS})
    assert "54 requests were answered, 0 were in the ledger" in project.run_ok("benchmark.py", "served")
    project.run_ok("benchmark.py", "sft")
    assert rows_of(project, "served") == rows_of(project, "sft")
    assert summary(project, "served") == summary(project, "sft")
    asked = requests(server)
    assert asked == 54 + 1  # and the one that looks what the endpoint can do
    assert "0 requests were answered, 54 were in the ledger" in project.run_ok("benchmark.py", "served")
    assert requests(server) == asked


def test_how_well_references_are_predicted_is_the_same_too(project: Project, server: OpenAIServer) -> None:
    with_served(project, server, {"reference_likelihood": {}})
    (project.root / "questions.jsonl").write_text('{"instruction": "Why is it so?", "output": "So it is."}\n')
    models = project.params()["models"]
    project.set(models=models | {"sft": models["sft"] | {"prompt": "chat"}})
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    found = []
    for model in ("served", "sft"):
        project.run_ok("benchmark.py", model)
        found.append(rows_of(project, model)[0].scores["bits_per_byte"])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_faults_and_limits_cost_no_item(project: Project, small: SmallModel) -> None:
    faults = Faults(shares={"429": 0.1, "500": 0.1, "cut": 0.05}, wait_seconds=0.01)
    with OpenAIServer(completer=small, faults=faults) as server:
        with_served(project, server, {"choice": CHOICE})
        assert "48 requests were answered" in project.run_ok("benchmark.py", "served")
        assert server.counts.paid.total() == 49


def no_logprobs(body: dict[str, Any]) -> dict[str, Any]:
    """A server that repeats no prompt."""
    return {"text": " So.", "finish_reason": "stop", "logprobs": None}


def other_tokens(body: dict[str, Any]) -> dict[str, Any]:
    """A server whose tokens are other texts."""
    size = len(body["prompt"])
    logprobs = {
        "tokens": ["x"] * size, "token_logprobs": [None, *[-1.0] * (size - 1)],
        "top_logprobs": [None, *[{"x": -1.0}] * (size - 1)], "text_offset": list(range(size)),
    }  # fmt: skip
    return {"text": "x" * size, "finish_reason": "stop", "logprobs": logprobs}


@pytest.mark.parametrize(
    ("completer", "line"),
    [
        (None, "ours: asked for completions of a text, it does not know this model or address (404: "),
        (no_logprobs, "ours: it gives no log-probabilities of a prompt; serve its weights with vLLM"),
        (other_tokens, f"models.served.tokenizer: ours cuts texts otherwise than {SFT}; name the served model's own"),
    ],
)
def test_what_a_server_cannot_is_one_line_after_one_request(project: Project, completer: Any, line: str) -> None:
    with OpenAIServer(completer=completer) as server:
        with_served(project, server, {"says": SAYS, "choice": CHOICE})
        assert line in project.error_line("benchmark.py", "served")
        assert requests(server) <= 1
    assert not (project.root / BENCHMARKS.path("served")).exists()


def test_an_endpoint_that_is_gone_is_one_line(project: Project, server: OpenAIServer) -> None:
    with_served(project, server, {"choice": CHOICE}, base_url=f"http://127.0.0.1:{free_port()}/v1")
    line = project.error_line("benchmark.py", "served")
    assert line.startswith("error: model served: ours: 4 attempts failed")
    assert line.endswith("check that it runs and its base_url, then run again")


def test_requests_without_a_response_are_counted_and_asked_alone_next_time(project: Project, small: SmallModel) -> None:
    broken = [True]

    def cut(body: dict[str, Any]) -> dict[str, Any]:
        unlucky = broken[0] and len(body["prompt"]) > 20 and share_of(canonical(body)) < 0.2
        return small(body) | ({"finish_reason": None} if unlucky else {})

    with OpenAIServer(completer=cut) as server:
        with_served(project, server, {"choice": CHOICE})
        line = project.error_line("benchmark.py", "served")
        lost = int(
            re.findall(r"error: benchmark: (\d+) of 48 requests got no response, the last because ours: ", line)[0]
        )
        assert 0 < lost < 48 and line.endswith("run again: what arrived is kept")
        broken[0] = False
        assert f"{lost} requests were answered, {48 - lost} were" in project.run_ok("benchmark.py", "served")


def test_a_chat_endpoint_is_refused_what_compares_likelihoods_before_it_is_asked(
    project: Project, server: OpenAIServer
) -> None:
    with_served(project, server, {"says": SAYS, "choice": CHOICE}, tokenizer=None)
    line = project.error_line("benchmark.py", "served")
    assert line.startswith("error: model served: choice compares likelihoods, and a chat gives no log-probabilities")
    project.set(benchmark={"tasks": {"says": SAYS}})
    assert "benchmark.chat_template is false" in project.error_line("benchmark.py", "served")
    assert requests(server) == 0


def test_a_chat_endpoint_is_asked_tasks_that_generate_in_messages(project: Project) -> None:
    bodies: list[dict[str, Any]] = []

    def say(body: dict[str, Any]) -> str:
        bodies.append(body)
        return "An answer. And more of it"

    with OpenAIServer(scorer=say) as server:
        with_served(project, server, {"says": SAYS}, tokenizer=None)
        project.set(benchmark={"tasks": {"says": SAYS}, "chat_template": True})
        assert "6 requests were answered" in project.run_ok("benchmark.py", "served")
        assert "0 requests were answered, 6 were" in project.run_ok("benchmark.py", "served")
    assert {row.response for row in rows_of(project, "served")} == {"An answer"}
    assert all(body["messages"][-1]["role"] == "user" and body["stop"] == ["."] for body in bodies)
    assert bodies[0]["max_tokens"] == 12 and bodies[0]["temperature"] == 0


def test_a_tokenizer_that_is_not_there_is_told_by_validate(project: Project, server: OpenAIServer) -> None:
    with_served(project, server, {})
    models = project.params()["models"]
    (project.root / "empty").mkdir()
    for name, found in (("./nowhere", "there is no tokenizer in ./nowhere"), ("./empty", "there is no tokenizer")):
        project.set(models=models | {"served": models["served"] | {"tokenizer": name}})
        assert found in project.error_line("validate.py", OPENAI_API_KEY="sk-none")
    project.set(models=models | {"baseline": {"id": BASE, "prompt": "alpaca", "tokenizer": SFT}})
    assert "`tokenizer` is only for engine endpoint" in project.error_line("validate.py", OPENAI_API_KEY="sk-none")


KILLS = 4


def reached(project: Project, results: int) -> bool:
    return recorded(project) >= results


@pytest.mark.exhaustive
def test_killed_again_and_again_an_endpoint_is_asked_nothing_that_was_recorded(
    project: Project, small: SmallModel
) -> None:
    with OpenAIServer(completer=small, faults=Faults(wait_seconds=0.02)) as server:
        with_served(project, server, {"choice": CHOICE, "says": SAYS})
        project.set(execution__generate__endpoint={"concurrency": 2})
        lost = 0
        for kill in range(1, KILLS + 1):
            before, asked = recorded(project), requests(server)
            stage = start(project, "served")
            wait_until(partial(reached, project, kill * 10), stage)
            stage.send_signal(signal.SIGKILL)
            stage.communicate(timeout=PATIENCE_SECONDS)
            lost += requests(server) - asked - 1 - (recorded(project) - before)  # one looks what the server can do
        there = recorded(project)
        said = finish(start(project, "served"))
        assert f"{54 - there} requests were answered, {there} were in the ledger" in said
        assert requests(server) == 54 + lost + KILLS + 1
        assert lost <= KILLS * workers_for(2)
    first = (project.root / BENCHMARKS.path("served")).read_bytes()
    (project.root / ".cache" / "ledger.sqlite").unlink()
    with OpenAIServer(completer=small) as server:
        models = project.params()["models"]
        project.set(models=models | {"served": models["served"] | {"base_url": server.base_url}})
        project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
        project.run_ok("benchmark.py", "served")
    assert (project.root / BENCHMARKS.path("served")).read_bytes() == first
