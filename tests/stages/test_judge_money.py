import json
import re
from collections.abc import Iterator

import pytest

from tests.conftest import Project
from tests.made_up.judging import cost_of, rows_of, with_answers
from tests.servers.openai.faults import Faults
from tests.servers.openai.limits import Limits
from tests.servers.openai.server import OpenAIServer
from tuneproof.common import progress

PRICES = {"gpt-4o-mini": {"prompt": 10.0, "reply": 40.0}}
TWO_MODELS = {"sft": [f"Answer {number}." for number in range(30)], "baseline": ["No."] * 30}


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


def ledger_rows(project: Project) -> int:
    import sqlite3

    with sqlite3.connect(project.root / ".cache" / "ledger.sqlite") as connection:
        return int(connection.execute("SELECT count(*) FROM results WHERE kind = 'reply'").fetchone()[0])


def quotes_in(said: str) -> list[str]:
    return [line for line in said.splitlines() if "quote:" in line]


def test_the_first_stage_that_buys_quotes_the_whole_run_in_one_short_line(
    project: Project, server: OpenAIServer
) -> None:
    with_answers(project, server.base_url, TWO_MODELS, prices=PRICES)
    [line] = quotes_in(project.run_ok("judge.py", "sft"))
    assert re.fullmatch(
        r"quote: 120 replies for this run, about \S+ USD, at most \S+ USD \(see \.cache/quote\.json\)", line
    )
    assert len(line) <= 100
    parts = json.loads((project.root / ".cache/quote.json").read_text())
    assert {stage: part["to_buy"] for stage, part in parts["stages"].items()} == {
        "judge sft": 30, "judge baseline": 30, "compare sft": 60,
    }  # fmt: skip
    assert parts["tokens"] == {"gpt-4o-mini": "estimated at 4 bytes each"}
    assert not quotes_in(project.run_ok("judge.py", "baseline") + project.run_ok("compare.py", "sft"))


def test_a_run_that_was_cut_short_quotes_what_is_left_when_it_begins_anew(
    project: Project, server: OpenAIServer
) -> None:
    with_answers(project, server.base_url, TWO_MODELS, prices=PRICES)
    project.run_ok("judge.py", "sft")
    project.run_ok("validate.py")  # as every `dvc repro` begins
    [line] = quotes_in(project.run_ok("judge.py", "baseline"))
    assert line.startswith("quote: 90 replies for this run, about ")
    parts = json.loads((project.root / ".cache/quote.json").read_text())
    assert parts["stages"]["judge sft"]["in_ledger"] == 30
    assert parts["tokens"] == {"gpt-4o-mini": "as in 30 replies of the ledger"}


def test_what_is_more_than_was_quoted_is_quoted_again(project: Project, server: OpenAIServer) -> None:
    with_answers(project, server.base_url, TWO_MODELS, prices=PRICES)
    project.run_ok("judge.py", "sft")
    assert not quotes_in(project.run_ok("judge.py", "baseline"))
    project.set(judge__samples=2)
    assert quotes_in(project.run_ok("judge.py", "sft")) == []  # 30 more, which is what it was told
    project.set(judge__samples=4)
    assert len(quotes_in(project.run_ok("judge.py", "sft"))) == 1
    (project.root / ".cache/quote.json").write_text("{")
    assert len(quotes_in(project.run_ok("judge.py", "baseline"))) == 1, "what cannot be read was not told"


def test_an_experiment_is_not_spared_the_quote_that_another_one_was_told(
    project: Project, server: OpenAIServer
) -> None:
    with_answers(project, server.base_url, TWO_MODELS, prices=PRICES)
    project.run_ok("judge.py", "sft", DVC_EXP_NAME="brave-cat")
    assert not quotes_in(project.run_ok("judge.py", "baseline", DVC_EXP_NAME="brave-cat"))
    assert len(quotes_in(project.run_ok("compare.py", "sft", DVC_EXP_NAME="calm-dog"))) == 1


def test_what_was_bought_stands_beside_the_quote(project: Project, server: OpenAIServer) -> None:
    with_answers(project, server.base_url, TWO_MODELS, prices=PRICES)
    project.run_ok("judge.py", "sft")
    said = project.run_ok("judge.py", "baseline")
    found = re.search(r"bought 30 replies for (\S+) USD; quoted were 30 for about (\S+) USD", said)
    assert found, said
    actual = cost_of(rows_of(project, "judgements", "baseline"), 10, 40)
    assert float(found.group(1)) == pytest.approx(actual, rel=0.1)
    assert float(found.group(2)) == pytest.approx(actual, rel=0.2)
    assert "quote" not in project.run_ok("judge.py", "baseline")


def test_models_whose_answers_are_not_there_are_named_beside_the_quote(project: Project, server: OpenAIServer) -> None:
    with_answers(project, server.base_url, TWO_MODELS, prices=PRICES)
    (project.root / "data" / "answers" / "baseline.jsonl").unlink()
    said = project.run_ok("judge.py", "sft")
    assert "quote: not in it, for want of answers: judge baseline, compare sft" in said


@pytest.mark.parametrize("concurrency", [1, 64])
def test_half_the_quote_stops_before_it_is_passed_and_a_raised_budget_goes_on(
    project: Project, server: OpenAIServer, concurrency: int
) -> None:
    with_answers(project, server.base_url, TWO_MODELS, prices=PRICES, max_tokens=100, concurrency=concurrency)
    project.run_ok("judge.py", "baseline")
    before = cost_of(rows_of(project, "judgements", "baseline"), 10, 40)
    project.set(execution__judge__budget_usd=1.5 * before)
    line = project.error_line("judge.py", "sft")
    assert "execution.judge.budget_usd" in line
    assert "raise it to go on" in line
    bought = ledger_rows(project) - 30
    assert 10 <= bought < 20
    assert server.counts.requests.total() == 30 + bought
    project.set(execution__judge__budget_usd=10 * before)
    project.run_ok("judge.py", "sft")
    assert server.counts.requests.total() == 60
    spent = cost_of(rows_of(project, "judgements", "sft"), 10, 40)
    project.set(execution__judge__budget_usd=before + spent)
    project.run_ok("judge.py", "sft")
    assert "spent" in project.error_line("compare.py", "sft")
    assert server.counts.requests.total() == 60


def test_attempts_at_unusable_replies_are_paid_from_the_budget_too(project: Project) -> None:
    with OpenAIServer(faults=Faults(stuck={"malformed": 1.0})) as server:
        with_answers(project, server.base_url, {"sft": ["Fine."] * 4}, prices=PRICES, attempts=3, max_tokens=100)
        project.run_ok("judge.py", "sft")
        spent = cost_of(rows_of(project, "judgements", "sft"), 10, 40)
        assert server.counts.requests.total() == 12
        project.set(judge__attempts=6, execution__judge__budget_usd=1.01 * spent)
        assert "budget" in project.error_line("judge.py", "sft")
        assert server.counts.requests.total() == 12


def test_an_unknown_price_is_said_and_stops_a_run_with_a_budget(project: Project, server: OpenAIServer) -> None:
    with_answers(project, server.base_url, {"sft": ["Fine."] * 3}, model="house-judge")
    said = project.run_ok("judge.py", "sft")
    assert "no price is known for house-judge" in said
    assert "bought 3 replies for an unknown cost" in said
    project.set(judge__repeat=1, execution__judge__budget_usd=5.0)
    assert "the price of house-judge is not known" in project.error_line("judge.py", "sft")
    assert server.counts.requests.total() == 3
    project.set(execution__judge__prices={"house-judge": {"prompt": 0.0, "reply": 0.0}})
    project.run_ok("judge.py", "sft")
    assert server.counts.requests.total() == 6


def test_a_further_judge_elsewhere_never_gets_the_openai_key(project: Project, server: OpenAIServer) -> None:
    with OpenAIServer() as other:
        panel = [{"model": "theirs", "base_url": other.base_url, "served_as": "elsewhere"}]
        with_answers(project, server.base_url, {"sft": ["Fine."] * 3}, panel=panel)
        project.run_ok("judge.py", "sft", OPENAI_API_KEY="sk-ours")
        assert dict(server.counts.keys) == {"Bearer sk-ours": 3}
        assert [key for key in other.counts.keys if "sk-ours" in key] == []
        project.set(execution__judge__key_variables={"elsewhere": "THEIR_KEY"}, judge__repeat=1)
        assert "there is no THEIR_KEY" in project.error_line("judge.py", "sft", OPENAI_API_KEY="sk-ours")
        project.run_ok("judge.py", "sft", OPENAI_API_KEY="sk-ours", THEIR_KEY="theirs")
        assert other.counts.keys["Bearer theirs"] == 3
        rows = rows_of(project, "judgements", "sft")
        assert [reply["judge"] for reply in rows[0]["replies"]] == ["gpt-4o-mini", "theirs"]
        assert b"sk-ours" not in json.dumps(rows).encode()


def test_progress_tells_verdicts_rate_cost_and_waiting_for_limits(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    with OpenAIServer(limits=Limits(requests_per_minute=900, burst_seconds=1)) as server:
        with_answers(project, server.base_url, {"sft": TWO_MODELS["sft"]}, prices=PRICES)
        said = project.run_ok("judge.py", "sft")
    lines = [line for line in said.splitlines() if "of 30 verdicts" in line]
    assert re.search(r"\d+ of 30 verdicts, [\d.]+ a second, about \d+ s left, \d+ replies bought, [\d.]+ USD", lines[0])
    assert any(re.search(r"\d+ waiting for limits", line) for line in lines), lines
    assert "wrote 30 judgements to data/judgements/sft.jsonl (30 ok)" in said
