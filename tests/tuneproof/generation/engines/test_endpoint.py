import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.servers.openai.faults import BODY_FAULTS, Faults
from tests.servers.openai.odd_endings import OddEndings
from tests.servers.openai.server import OpenAIServer
from tests.tuneproof.generation.engines.workspaces import (
    Workspace,
    answered,
    make_workspace,
    on_disk,
    rendered,
    texts_of,
)
from tuneproof.common.errors import UserError
from tuneproof.endpoint.client import Client
from tuneproof.generation.engines import endpoint as engine
from tuneproof.generation.jobs import Request
from tuneproof.records.keys import canonical_json
from tuneproof.records.rows import Result


class Picky(OpenAIServer):
    """A server that refuses bodies with a certain word, and says so in its own words."""

    def __init__(self, refuses: dict[str, str]) -> None:
        super().__init__()
        self.refuses = refuses

    def _refused(
        self, fault: str | None, body: dict[str, Any], usage: dict[str, int], now: float
    ) -> web.Response | None:
        for word, message in self.refuses.items():
            if word in canonical_json(body):
                return web.json_response({"error": {"message": message, "code": None}}, status=400)
        return super()._refused(fault, body, usage, now)


class Bodies:
    """A scorer that answers with the request's own last words, and keeps what it was sent."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def __call__(self, body: dict[str, Any]) -> str:
        self.seen.append(body)
        return f"About {body['messages'][-1]['content']} by seed {body.get('seed')}"


@pytest.fixture
def bodies() -> Bodies:
    return Bodies()


@pytest.fixture
def server(bodies: Bodies) -> Iterator[OpenAIServer]:
    with OpenAIServer(scorer=bodies) as running:
        yield running


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: OpenAIServer) -> Workspace:
    monkeypatch.chdir(tmp_path)
    made = make_workspace(tmp_path / "workspace", questions=20)
    made.change(engine="endpoint", id="hosted", prompt="chat", base_url=server.base_url, served_as="ours")
    return made


def test_every_question_is_asked_once_with_the_settings_and_its_own_seed(workspace: Workspace, bodies: Bodies) -> None:
    workspace.change(system="Be brief.", stop=["###"], sampling={"min_p": 0.05, "samples": 2})
    saved = answered(engine, workspace.job(), workspace.questions)
    assert len(texts_of(saved)) == len(bodies.seen) == 40
    assert len({body.pop("seed") for body in bodies.seen}) == 40
    asked = {body["messages"][1].pop("content") for body in bodies.seen}
    assert asked == {question.instruction for question in workspace.questions}
    assert {canonical_json(body) for body in bodies.seen} == {
        canonical_json({
            "model": "hosted", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user"}],
            "temperature": 1.3, "top_p": 1.0, "min_p": 0.05, "max_tokens": 24, "stop": ["###"],
        })
    }  # fmt: skip


def test_an_answer_comes_with_its_tokens_and_the_models_name_as_the_endpoint_gives_it(workspace: Workspace) -> None:
    request, result = answered(engine, workspace.job(), workspace.questions[:1])[0]
    assert result.answer == f"About Question 0:  by seed {request.seed}"
    assert (result.finish_reason, result.error) == ("stop", None)
    assert (result.prompt_tokens or 0) > 0 < (result.answer_tokens or 0)
    assert result.engine is not None
    assert (result.engine.engine, result.engine.version, result.engine.device) == ("endpoint", "hosted-local", "ours")


def test_passing_faults_lose_nothing_and_change_nothing(workspace: Workspace, server: OpenAIServer) -> None:
    expected = texts_of(answered(engine, workspace.job(), workspace.questions))
    server.faults = Faults({"500": 0.2, "429": 0.1, "cut": 0.1}, wait_seconds=0.01)
    assert texts_of(answered(engine, workspace.job(), workspace.questions)) == expected


def test_a_request_that_gets_no_answer_leaves_the_others_saved(workspace: Workspace, server: OpenAIServer) -> None:
    server.faults = Faults(stuck={"500": 0.1})
    job, saved = workspace.job(), list[str]()

    def save(request: Request, _: Result) -> Future[None]:
        saved.append(request.id)
        return on_disk()

    async def ask() -> None:
        options: dict[str, Any] = {"label": "ours", "concurrency": 8, "timeout_seconds": 30.0}
        async with Client(server.base_url, None, first_backoff_seconds=0.001, **options) as client:
            requests = rendered(engine, job, workspace.questions)
            await engine.Questioner(job, client).ask_all(requests, save)

    with pytest.raises(UserError, match=r"of 20 got no answer, the last because .* run again: what arrived is kept"):
        asyncio.run(ask())
    assert 0 < len(saved) < 20


def test_a_cut_answer_is_marked(workspace: Workspace, server: OpenAIServer) -> None:
    server.faults = Faults({"truncated": 1.0})
    assert {result.finish_reason for _, result in answered(engine, workspace.job(), workspace.questions)} == {"length"}


ODD_ENDINGS: list[dict[str, Any]] = [
    {"finish_reason": "error"}, {"finish_reason": "abort"}, {"finish_reason": None}, {"finish_reason": "network_error"},
    {"finish_reason": "stop", "error": {"code": 502, "message": "upstream is gone"}},
]  # fmt: skip


@pytest.mark.parametrize("change", ODD_ENDINGS, ids=str)
def test_an_answer_that_ended_in_no_known_way_is_asked_for_again(
    workspace: Workspace, bodies: Bodies, change: dict[str, Any]
) -> None:
    with OddEndings(change, times=2, scorer=bodies) as odd:
        workspace.change(base_url=odd.base_url)
        saved = answered(engine, workspace.job(), workspace.questions[:3])
    assert all(result.answer == f"About {request.prompt} by seed {request.seed}" for request, result in saved)
    assert odd.counts.requests.total() == 9


@pytest.mark.parametrize("change", ODD_ENDINGS, ids=str)
def test_an_answer_that_never_ends_in_a_known_way_is_not_kept(workspace: Workspace, change: dict[str, Any]) -> None:
    with OddEndings(change) as odd:
        workspace.change(base_url=odd.base_url)
        ended = r"3 of 3 got no answer, the last because ours: 3 answers may not be whole, the last because it"
        with pytest.raises(UserError, match=ended):
            answered(engine, workspace.job(), workspace.questions[:3])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"finish_reason": "sensitive"}, "filter withheld"),
        ({"finish_reason": "content_filter: SAFETY"}, "filter withheld"),
        ({"finish_reason": "tool_calls"}, "called a tool"),
        ({"message": {"content": None, "tool_calls": [{"id": "a", "function": {"name": "f"}}]}}, "called a tool"),
    ],
)
def test_what_no_attempt_mends_is_an_error_row(workspace: Workspace, change: dict[str, Any], error: str) -> None:
    with OddEndings(change) as odd:
        workspace.change(base_url=odd.base_url)
        [(_, result)] = answered(engine, workspace.job(), workspace.questions[:1])
    assert (result.answer, result.finish_reason) == ("", "error")
    assert error in str(result.error)
    assert odd.counts.requests.total() == 1


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8 tokens. However, you requested 24 output tokens",
        "input is too long for this model",
    ],
)
def test_a_prompt_that_the_endpoint_finds_too_long_is_an_error_row(workspace: Workspace, message: str) -> None:
    with Picky({"Question 3: why": message}) as server:
        workspace.change(base_url=server.base_url)
        results = {request.id: result for request, result in answered(engine, workspace.job(), workspace.questions)}
    over_long = results.pop("Question 3: why ")
    assert (over_long.finish_reason, over_long.error, over_long.answer) == ("error", message, "")
    assert {result.finish_reason for result in results.values()} == {"stop"}


def test_what_an_endpoint_does_not_know_is_left_out_and_told(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.change(sampling={"min_p": 0.05})
    refuses = {"min_p": "Unrecognized argument: min_p", '"max_tokens"': "Use max_completion_tokens."}
    with Picky(refuses) as server:
        workspace.change(base_url=server.base_url)
        saved = answered(engine, workspace.job(), workspace.questions)
    assert len(texts_of(saved)) == 20
    assert {result.engine.not_sent for _, result in saved if result.engine} == {("min_p",)}
    assert capsys.readouterr().err.count("warning: ours does not know min_p: sft is sampled without it") == 1


def test_any_other_rejection_stops_with_the_endpoints_words(workspace: Workspace) -> None:
    with Picky({"temperature": "Only the default values are supported.\nTry\x1b[31m again."}) as server:
        workspace.change(base_url=server.base_url)
        with pytest.raises(UserError) as error:
            answered(engine, workspace.job(), workspace.questions)
    assert str(error.value) == (
        "ours: it rejects the request: Only the default values are supported. Try [31m again.; "
        "correct generate.sampling or models.sft"
    )


def test_alpaca_is_refused_since_an_endpoint_has_a_template_of_its_own(workspace: Workspace) -> None:
    workspace.change(prompt="alpaca")
    with pytest.raises(UserError, match=r"model sft: an endpoint is asked in chat messages.*set `prompt: chat`"):
        rendered(engine, workspace.job(), workspace.questions)


def test_the_address_is_in_no_key_when_the_endpoint_has_a_label(workspace: Workspace) -> None:
    before = [request.key for request in rendered(engine, workspace.job(), workspace.questions)]
    workspace.change(base_url="http://127.0.0.1:9/v1", execution={"endpoint": {"concurrency": 1}})
    assert [request.key for request in rendered(engine, workspace.job(), workspace.questions)] == before
    workspace.change(system="Be brief.")
    assert not set(before) & {request.key for request in rendered(engine, workspace.job(), workspace.questions)}


def test_the_judges_key_is_not_sent_to_another_endpoint(
    workspace: Workspace, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-judge")
    answered(engine, workspace.job(), workspace.questions[:2])
    assert not any("sk-of-the-judge" in header for header in server.counts.keys)
    monkeypatch.setenv("OUR_KEY", "ours-only")
    workspace.change(execution={"key_variable": "OUR_KEY"})
    answered(engine, workspace.job(), workspace.questions[:2])
    assert server.counts.keys["Bearer ours-only"] == 2


def test_a_missing_key_is_one_line_before_anything_is_asked(workspace: Workspace, server: OpenAIServer) -> None:
    workspace.change(execution={"key_variable": "OUR_KEY"})
    with pytest.raises(UserError, match=r"there is no OUR_KEY for ours; set OUR_KEY in the environment or in .env"):
        answered(engine, workspace.job(), workspace.questions)
    workspace.change(execution={"key_variable": None}, base_url=None)
    with pytest.raises(UserError, match="there is no OPENAI_API_KEY"):
        answered(engine, workspace.job(), workspace.questions)
    assert not server.counts.requests


def test_an_endpoint_that_refuses_the_key_stops_at_once(workspace: Workspace, server: OpenAIServer) -> None:
    server.faults = Faults(status=401)
    with pytest.raises(UserError, match="ours: it refused the key"):
        answered(engine, workspace.job(), workspace.questions)


@pytest.mark.parametrize("fault", BODY_FAULTS)
def test_an_odd_body_is_billed_and_read_as_far_as_it_can_be(
    workspace: Workspace, server: OpenAIServer, fault: str
) -> None:
    server.faults = Faults(stuck={fault: 1.0})
    if fault in ("invalid_body", "no_choices"):
        with pytest.raises(UserError, match=r"3 answers may not be whole, .*the answer is no chat completion"):
            answered(engine, workspace.job(), workspace.questions[:1])
        assert server.counts.requests.total() == engine.ATTEMPTS_TO_FINISH
    else:
        ((_, result),) = answered(engine, workspace.job(), workspace.questions[:1])
        assert result.finish_reason == "stop"
        assert result.answer
        assert server.counts.requests.total() == 1


ALL_NULL = {"temperature": None, "top_p": None, "min_p": None, "max_tokens": None, "seed": None}


def test_what_is_null_is_not_sent_and_the_record_says_so(workspace: Workspace, bodies: Bodies) -> None:
    before = {request.key for request in rendered(engine, workspace.job(), workspace.questions)}
    workspace.change(own_sampling=ALL_NULL | {"samples": 2})
    saved = answered(engine, workspace.job(), workspace.questions)
    assert {name for body in bodies.seen for name in body} == {"model", "messages"}
    assert {result.engine.not_sent for _, result in saved if result.engine} == {tuple(ALL_NULL)}
    keys = {request.key for request, _ in saved}
    assert len(keys) == 40
    assert not keys & before


@pytest.mark.parametrize(("word", "message"), [
    ("temperature", "Unsupported value: 'temperature' does not support 1.3 with this model."),
    ("top_p", "`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
    ("seed", "body -> seed: Extra inputs are not permitted"),
])  # fmt: skip
def test_a_refusal_that_names_a_parameter_names_the_setting_to_null(
    workspace: Workspace, word: str, message: str
) -> None:
    with Picky({word: message}) as server:
        workspace.change(base_url=server.base_url)
        with pytest.raises(UserError, match=r"; set generate\.sampling\.\w+ to null, which is not sent"):
            answered(engine, workspace.job(), workspace.questions)
        workspace.change(own_sampling={word: None})
        assert len(answered(engine, workspace.job(), workspace.questions)) == 20


def test_what_a_server_wants_besides_is_sent_and_in_the_key(workspace: Workspace, bodies: Bodies) -> None:
    seen = {request.key for request in rendered(engine, workspace.job(), workspace.questions)}
    for changes in ({"extra_body": {"reasoning_effort": "low"}}, {"chat_template_kwargs": {"enable_thinking": False}}):
        workspace.change(**changes)
        saved = answered(engine, workspace.job(), workspace.questions)
        assert not seen & {request.key for request, _ in saved}
        seen |= {request.key for request, _ in saved}
    assert bodies.seen[-1]["reasoning_effort"] == "low"
    assert bodies.seen[-1]["chat_template_kwargs"] == {"enable_thinking": False}
    assert workspace.job().description()["extra_body"] == {"reasoning_effort": "low"}


class Reasoning(OpenAIServer):
    """A server that tells the thought apart from the text, under a name of its own."""

    def __init__(self, name: str, content: str | None) -> None:
        super().__init__()
        self.name, self.content = name, content

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        message = {"role": "assistant", "content": self.content, self.name: "Two and two."}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        return web.json_response({"model": "r", "choices": [choice], "usage": {"completion_tokens": 9}})


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("content", [None, "", "  \n"])
def test_a_thought_without_an_answer_is_an_error_row_and_never_an_empty_answer(
    workspace: Workspace, name: str, content: str | None
) -> None:
    with Reasoning(name, content) as server:
        workspace.change(base_url=server.base_url)
        ((_, result),) = answered(engine, workspace.job(), workspace.questions[:1])
    assert (result.answer, result.finish_reason, result.thinking) == ("", "error", "Two and two.")
    assert result.error == "it thought and gave no answer; raise generate.sampling.max_tokens if the thought was cut"


def test_a_thought_beside_an_answer_is_kept_beside_it(workspace: Workspace) -> None:
    with Reasoning("reasoning_content", "Four.") as server:
        workspace.change(base_url=server.base_url)
        ((_, result),) = answered(engine, workspace.job(), workspace.questions[:1])
    assert (result.answer, result.finish_reason, result.thinking) == ("Four.", "length", "Two and two.")


class Azure(OpenAIServer):
    """Azure's ways: the deployment in the path, the version in the query, the key in a header of its own."""

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/openai/deployments/gpt/chat/completions", self._chat)
        return application

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("api-version") != "2024-10-21":
            return web.json_response({"error": {"code": "404", "message": "Resource not found"}}, status=404)
        if request.headers.get("api-key") != "azure-key" or "Authorization" in request.headers:
            return web.json_response({"error": {"code": "401", "message": "Access denied"}}, status=401)
        return await super()._chat(request)


def test_azures_version_is_a_setting_of_its_own(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", "azure-key")
    with Azure() as server:
        address = server.base_url.removesuffix("/v1") + "/openai/deployments/gpt"
        workspace.change(base_url=address, execution={"key_variable": "AZURE_KEY"})
        with pytest.raises(UserError, match="does not know this model or address"):
            answered(engine, workspace.job(), workspace.questions[:1])
        workspace.change(api_version="2024-10-21")
        assert len(answered(engine, workspace.job(), workspace.questions)) == 20
