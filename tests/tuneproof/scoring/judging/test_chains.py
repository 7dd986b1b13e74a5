import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.conftest import Project
from tests.made_up.judging import rows_of, with_answers
from tests.own_settings import own_params
from tests.servers.openai.newer_models import NewerModels
from tests.servers.openai.odd_endings import OddEndings
from tests.servers.openai.server import OpenAIServer
from tuneproof.common.errors import UserError
from tuneproof.endpoint.errors import RequestRejected
from tuneproof.records.keys import content_key
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Answer, Reply
from tuneproof.scoring.judging.cases import AnswerCase
from tuneproof.scoring.judging.chains import Asking, refused_material
from tuneproof.scoring.judging.rubric.prompts import NONCE_IN_KEYS, Material
from tuneproof.settings.evidence.judging import FurtherJudge, Judge
from tuneproof.settings.execution import JudgeExecution

EXECUTION = JudgeExecution()
ANSWER = Answer(
    id="q", sample=0, prompt="", answer="Fine \u2603.", finish_reason="stop", error=None, prompt_tokens=None,
    answer_tokens=None, key="a",
)  # fmt: skip


def judge(**changes: Any) -> Judge:
    return own_params().judge.model_copy(update=changes)


def case(settings: Judge) -> AnswerCase:
    return AnswerCase(ANSWER, settings, Material("What is it?", None, ANSWER.answer))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def reply(attempt: int, status: str) -> dict[str, Any]:
    return {
        "judge": "gpt-4o-mini", "model": "m", "attempt": attempt, "status": status, "scores": None,
        "probabilities": None, "analyses": None, "reply": None, "error": None, "prompt_tokens": 1, "reply_tokens": 1,
    }  # fmt: skip


def test_a_key_is_the_hash_of_everything_that_determines_the_reply_and_nothing_else(ledger: Ledger) -> None:
    settings = judge(repeat=2, samples=2, served_as='a "label"')
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    chain = asking.chains(case(settings))[1]
    body = asking.body(chain.access, case(settings).messages(NONCE_IN_KEYS))
    everything = {
        "kind": "reply", "endpoint": 'a "label"', "body": body, "sample": 1, "attempt": 3, "repeat": 2,
    }  # fmt: skip
    assert asking.key(chain, 3) == content_key(everything)


def test_what_changes_no_result_changes_no_key(ledger: Ledger) -> None:
    settings = judge()
    other = JudgeExecution(concurrency=1, timeout_seconds=1.0, transport="batch", budget_usd=1.0, key_variable="KEY")
    keys = [
        asking.key(asking.chains(case(settings))[0], 1)
        for execution in (EXECUTION, other)
        for asking in [Asking(settings, execution, settings.criteria, ledger)]
    ]
    assert keys[0] == keys[1]


def test_a_chain_ends_with_a_usable_reply_or_the_last_attempt(ledger: Ledger) -> None:
    settings = judge(attempts=2)
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    [chain] = asking.chains(case(settings))
    assert (chain.replies, chain.complete) == ([], False)
    ledger.put(asking.key(chain, 1), "reply", reply(1, "unreadable"))
    asking.take_recorded([chain])
    assert (len(chain.replies), chain.complete) == (1, False)
    ledger.put(asking.key(chain, 2), "reply", reply(2, "refused"))
    [(_, [again])] = asking.recorded([case(settings)])
    assert ([one.status for one in again.replies], again.complete) == (["unreadable", "refused"], True)
    more = Asking(judge(attempts=3), EXECUTION, settings.criteria, ledger)
    [(_, [further])] = more.recorded([case(settings)])
    assert not further.complete


def test_every_judge_and_sample_has_its_chain(ledger: Ledger) -> None:
    settings = judge(samples=2, panel=(FurtherJudge(model="other"),))
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    chains = asking.chains(case(settings))
    assert [(chain.access.model, chain.sample) for chain in chains] == [
        ("gpt-4o-mini", 0), ("gpt-4o-mini", 1), ("other", 0), ("other", 1),
    ]  # fmt: skip
    assert len({asking.key(chain, 1) for chain in chains}) == 4


def test_a_model_that_knows_only_the_newer_name_of_max_tokens_is_asked_by_it(project: Project) -> None:
    with NewerModels() as newer:
        with_answers(project, newer.base_url, {"sft": ["Fine."] * 10}, concurrency=2, served_as="judge")
        project.run_ok("judge.py", "sft")
        assert {row["status"] for row in rows_of(project, "judgements", "sft")} == {"ok"}
        assert newer.counts.paid.total() == 10
        assert newer.counts.statuses["400"] <= 2
    with OpenAIServer() as older:  # the keys are the same: nothing is bought again
        project.set(judge__base_url=older.base_url)
        project.run_ok("judge.py", "sft")
        assert older.counts.requests.total() == 0


class ShortContext(OpenAIServer):
    """Refuses what is marked as long in the words and codes of vLLM's server."""

    def _refused(
        self, fault: str | None, body: dict[str, Any], usage: dict[str, int], now: float
    ) -> web.Response | None:
        if "Too long for it" not in str(body["messages"]):
            return super()._refused(fault, body, usage, now)
        found = "This model's maximum context length is 2048 tokens. However, your request has 3000 input tokens."
        return web.json_response(
            {"object": "error", "message": found, "type": "BadRequestError", "code": 400}, status=400
        )


def test_one_over_long_answer_is_refused_with_its_reason_and_the_others_get_their_scores(project: Project) -> None:
    with ShortContext() as server:
        with_answers(project, server.base_url, {"sft": ["Fine.", "Too long for it.", "Good."]})
        project.run_ok("judge.py", "sft")
        rows = rows_of(project, "judgements", "sft")
        assert [row["status"] for row in rows] == ["ok", "refused", "ok"]
        assert "maximum context length is 2048" in rows[1]["replies"][-1]["error"]
        asked = server.counts.requests.total()
        project.run_ok("judge.py", "sft")
        assert server.counts.requests.total() == asked


def test_a_reply_that_ended_in_no_known_way_is_no_score_and_asked_for_again(project: Project) -> None:
    with OddEndings({"finish_reason": "stop", "error": {"message": "upstream is gone"}}, times=1) as server:
        with_answers(project, server.base_url, {"sft": ["Fine.", "Good."]})
        project.run_ok("judge.py", "sft")
        assert server.counts.paid.total() == 4
    for row in rows_of(project, "judgements", "sft"):
        assert [reply["status"] for reply in row["replies"]] == ["unreadable", "ok"]
        assert row["replies"][0]["error"].startswith("its finish_reason is error: upstream is gone")


class OddLogprobs(OpenAIServer):
    """Gives logprobs that are none."""

    odd: Any = None

    async def _answer(self, request: web.Request, body: dict[str, Any], name: str) -> web.StreamResponse:
        response = await super()._answer(request, body, name)
        assert isinstance(response, web.Response)
        given = json.loads(response.text or "")
        for token in given["choices"][0]["logprobs"]["content"]:
            token |= self.odd
        return web.json_response(given)


@pytest.mark.parametrize(
    "odd", [{"logprob": float("nan")}, {"logprob": 1e5}, {"logprob": None}, {"token": None},
            {"top_logprobs": [{"token": None, "logprob": -0.1}]}], ids=str,
)  # fmt: skip
def test_odd_logprobs_leave_the_score_as_written_and_the_reply_is_bought_once(
    project: Project, odd: dict[str, Any]
) -> None:
    with OddLogprobs() as server:
        server.odd = odd
        with_answers(project, server.base_url, {"sft": ["Fine.", "Good."]}, logprobs=True)
        project.run_ok("judge.py", "sft")
        assert server.counts.paid.total() == 2
    for row in rows_of(project, "judgements", "sft"):
        [reply] = row["replies"]
        assert (reply["status"], reply["probabilities"]) == ("ok", None)
        assert set(reply["scores"].values()) <= {1, 2, 3}


def test_a_recorded_reply_reads_back_as_it_was(ledger: Ledger) -> None:
    settings = judge()
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    [chain] = asking.chains(case(settings))
    scores = {"accuracy": 3, "style": 1}
    written = Reply.model_validate({**reply(1, "ok"), "scores": scores, "key": asking.key(chain, 1)})
    ledger.put(written.key, "reply", written.model_dump(exclude={"key"}))
    [(_, [again])] = asking.recorded([case(settings)])
    assert again.replies == [written]


SOUND = {"accuracy": 3, "style": 1}
UNSOUND: list[dict[str, Any]] = [
    {"scores": SOUND | {"accuracy": 999}}, {"scores": SOUND | {"accuracy": 2.5}}, {"scores": {"accuracy": 3}},
    {"scores": SOUND | {"accuracy": "3"}}, {"scores": SOUND | {"accuracy": True}}, {"scores": SOUND | {"more": 3}},
    {"scores": None},
    {"scores": SOUND, "status": "unreadable"}, {"scores": SOUND, "judge": "another"}, {"scores": SOUND, "attempt": 2},
    {"scores": SOUND | {"accuracy": 2.5}, "probabilities": {"accuracy": {"3": 1.0}, "style": {"1": 1.0}}},
]  # fmt: skip


@pytest.mark.parametrize("changes", UNSOUND, ids=str)
def test_a_recorded_reply_that_no_fresh_one_can_be_is_set_aside(
    ledger: Ledger, changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = judge()
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    [chain] = asking.chains(case(settings))
    ledger.put(asking.key(chain, 1), "reply", reply(1, "ok") | changes)
    asking.take_recorded([chain])
    assert chain.replies == []
    assert "1 row is set aside and had anew" in capsys.readouterr().err
    ledger.put(asking.key(chain, 1), "reply", reply(1, "ok") | {"scores": SOUND})
    asking.take_recorded([chain])
    assert [one.scores for one in chain.replies] == [SOUND]


def test_an_expected_score_between_the_steps_is_what_its_probabilities_make_it(ledger: Ledger) -> None:
    settings = judge(logprobs=True)
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    even, sure = {"1": 0.0, "2": 0.5, "3": 0.5}, {"1": 1.0, "2": 0.0, "3": 0.0}
    taken = []
    for accuracy in (2.5, 2.6):
        [chain] = asking.chains(case(settings))
        body = reply(1, "ok") | {
            "scores": {"accuracy": accuracy, "style": 1.0}, "probabilities": {"accuracy": even, "style": sure},
        }  # fmt: skip
        with Ledger(ledger.path.with_name(f"{accuracy}.sqlite")) as own:
            own.put(asking.key(chain, 1), "reply", body)
            Asking(settings, EXECUTION, settings.criteria, own).take_recorded([chain])
        taken.append(len(chain.replies))
    assert taken == [1, 0]


def test_a_pulled_judgement_off_the_scale_is_bought_anew(project: Project) -> None:
    with OpenAIServer() as server:
        with_answers(project, server.base_url, {"sft": ["Fine.", "Good."]})
        project.run_ok("judge.py", "sft")
        path = project.root / "data" / "judgements" / "sft.jsonl"
        first, second = (json.loads(line) for line in path.read_text().splitlines())
        expected = path.read_text()
        first["scores"] = first["replies"][0]["scores"] = first["scores"] | {"accuracy": 999}
        second["replies"][0]["scores"] = second["scores"] | {"accuracy": True}
        path.write_text("".join(json.dumps(row) + "\n" for row in (first, second)))
        (project.root / ".cache" / "ledger.sqlite").unlink()
        assert "1 row of it is not adopted into the ledger" in project.run_ok("validate.py")
        project.run_ok("generate.py", "sft")
        said = project.run_ok("judge.py", "sft")
        assert "the score of accuracy is off its scale: 999" in said
        assert path.read_text() == expected
        assert server.counts.paid.total() == 4


def test_what_is_null_is_not_sent_and_what_a_server_wants_besides_is(ledger: Ledger) -> None:
    settings = judge(temperature=None, max_tokens=None, extra_body={"reasoning_effort": "low"})
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    (chain,) = asking.chains(case(settings))
    body = asking.body(chain.access, case(settings).messages(NONCE_IN_KEYS))
    assert not body.keys() & {"temperature", "max_tokens"}
    assert body["reasoning_effort"] == "low"
    keys = set()
    changed: list[dict[str, Any]] = [{}, {"temperature": None}, {"max_tokens": None}]
    for changes in (*changed, {"extra_body": {"a": 1}}, {"extra_body": {"a": 2}}):
        asking = Asking(judge(**changes), EXECUTION, settings.criteria, ledger)
        keys.add(asking.key(asking.chains(case(settings))[0], 1))
    assert len(keys) == 5


def test_each_judge_of_a_panel_gets_its_own_further_fields(ledger: Ledger) -> None:
    other = FurtherJudge(model="qwen", base_url="http://localhost:9/v1", extra_body={"chat_template_kwargs": {"a": 1}})
    settings = judge(panel=(other,), api_version="2024-10-21")
    asking = Asking(settings, EXECUTION, settings.criteria, ledger)
    bodies = [asking.body(access, []) for access in asking.panel]
    assert ["chat_template_kwargs" in body for body in bodies] == [False, True]
    assert [access.api_version for access in asking.panel] == ["2024-10-21", None]


def test_an_address_with_another_api_version_buys_nothing_anew(ledger: Ledger) -> None:
    keys = set()
    for version in (None, "2024-10-21", "2025-01-01"):
        settings = judge(api_version=version)
        asking = Asking(settings, EXECUTION, settings.criteria, ledger)
        keys.add(asking.key(asking.chains(case(settings))[0], 1))
    assert len(keys) == 1


@pytest.mark.parametrize(("message", "remedy"), [
    ("Unsupported value: 'temperature' does not support 0 with this model.", "set judge.temperature to null"),
    ("`max_tokens` is not allowed", "set judge.max_tokens to null, which is not sent"),
    ("response_format is not supported", "check the settings under `judge`"),
    ("the temperatures are high", "check the settings under `judge`"),
])  # fmt: skip
def test_a_refusal_that_names_a_parameter_names_the_setting(ledger: Ledger, message: str, remedy: str) -> None:
    asking = Asking(judge(), EXECUTION, judge().criteria, ledger)
    with pytest.raises(UserError, match=remedy):
        refused_material(RequestRejected(message, None), asking.panel[0], 1, "key")
