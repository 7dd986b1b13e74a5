"""From comparisons to numbers: judges of known habits, swapped sides, unusable replies, and a stage that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.judging import rows_of, with_answers, write_rows
from tests.processes import ended_with_test
from tests.servers.openai.faults import Faults
from tests.servers.openai.replies import default_scorer
from tests.servers.openai.server import OpenAIServer
from tuneproof.common.windows import workers_for
from tuneproof.results.details.model import WinRateDetails, read_details

QUESTIONS = 40
Preferred = Callable[[str, str], int]  # of the first and the second answer: 1, 2 (a tie) or 3


def comparing(preferred: Preferred) -> Callable[[dict[str, Any]], str]:
    """A judge that scores answers at random and compares them as it is told."""

    def score(body: dict[str, Any]) -> str:
        if "preference" not in json.dumps(body["response_format"]):
            return default_scorer(body)
        return json.dumps({"preference": {"analysis": "Looked at both.", "score": preferred(*shown_answers(body))}})

    return score


def shown_answers(body: dict[str, Any]) -> tuple[str, str]:
    """The two answers that a request shows, in their order."""
    text = body["messages"][1]["content"]
    first, second = text.split("<<<ANSWER 1 ")[1], text.split("<<<ANSWER 2 ")[1]
    return inside_of_fence(first), inside_of_fence(second)


def inside_of_fence(text: str) -> str:
    return text.split(">>>\n")[1].split("\n<<<END ")[0]


def better_one(first: str, second: str) -> int:
    """What a fair judge says of answers that say how good they are: `... 0.7`."""
    qualities = [float(answer.split()[-1]) for answer in (first, second)]
    return 2 if qualities[0] == qualities[1] else 1 if qualities[0] > qualities[1] else 3


def longer_one(first: str, second: str) -> int:
    return 2 if len(first) == len(second) else 1 if len(first) > len(second) else 3


def to_the_end(project: Project) -> dict[str, WinRateDetails | None]:
    """Judges, compares and aggregates; every model's win rate."""
    models = project.params()["models"]
    for stage in ("judge.py", "compare.py"):
        for model in models:
            project.run_ok(stage, model)
    project.run_ok("aggregate.py")
    return {model: read_details(project.root / f"data/details/{model}.json").win_rate for model in models}


def metrics(project: Project, model: str = "sft") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.root / f"metrics/{model}.json").read_text())
    return found


def of_length(characters: int) -> str:
    return "x" * characters


def mixed_lengths(longer: int, shorter: int) -> dict[str, list[str]]:
    """Answers of which the model's are the longer ones in so many questions, by differing amounts."""
    own = [of_length(200 + 7 * place) for place in range(longer)] + [of_length(190 - 9 * p) for p in range(shorter)]
    return {"sft": own, "baseline": [of_length(195)] * (longer + shorter)}


def test_a_judge_that_always_prefers_the_first_answer_decides_nothing(project: Project) -> None:
    with OpenAIServer(scorer=comparing(lambda first, second: 1)) as server:
        with_answers(project, server.base_url, {"sft": ["one"] * QUESTIONS, "baseline": ["two"] * QUESTIONS})
        rate = to_the_end(project)["sft"]
    assert rate is not None
    assert (rate.win_rate, rate.consistency, rate.position_bias, rate.verdict) == (0.5, 0, 1, "undecided")
    assert rate.low is not None and rate.high is not None and rate.low < 0.5 < rate.high
    assert metrics(project)["win_rate"] == 0.5


def test_a_judge_that_prefers_the_longer_answer_is_found_out(project: Project) -> None:
    with OpenAIServer(scorer=comparing(longer_one)) as server:
        with_answers(project, server.base_url, mixed_lengths(longer=60, shorter=20))
        rate = to_the_end(project)["sft"]
    assert rate is not None and rate.length_controlled is not None
    assert (rate.win_rate, rate.verdict) == (0.75, "better")
    assert rate.length_controlled == pytest.approx(0.5, abs=0.1)  # pulled: up to a third of the liking stays in it
    assert rate.length_controlled_low is not None and rate.length_controlled_low < 0.5


def test_a_fair_judge_ends_at_the_share_that_is_better(project: Project) -> None:
    better = [place % 5 < 3 for place in range(QUESTIONS)]  # 60 %
    answers = {"sft": [f"It is {0.9 if wins else 0.1}" for wins in better], "baseline": ["It is 0.5"] * QUESTIONS}
    with OpenAIServer(scorer=comparing(better_one)) as server:
        with_answers(project, server.base_url, answers)
        rate = to_the_end(project)["sft"]
    assert rate is not None and rate.low is not None and rate.high is not None
    assert (rate.win_rate, rate.consistency, rate.position_bias) == (0.6, 1, 0)
    assert rate.low < 0.6 < rate.high
    assert metrics(project)["win_rate"] == 0.6


def test_swapping_model_and_baseline_mirrors_every_number_exactly(project: Project) -> None:
    def capricious(first: str, second: str) -> int:
        return (5 * len(first) + 3 * len(second)) % 3 + 1

    lengths = mixed_lengths(longer=31, shorter=16)
    answers = {"sft": lengths["sft"], "other": [of_length(170 + place) for place in range(47)], **lengths}
    with OpenAIServer(scorer=comparing(capricious), faults=Faults(stuck={"refusal": 0.1})) as server:
        with_answers(project, server.base_url, answers, attempts=1)
        forth = to_the_end(project)["sft"]
        shown = metrics(project)["win_rate"]
        asked = server.counts.requests.total()
        project.set(baseline="sft")
        back = to_the_end(project)["baseline"]
        assert server.counts.requests.total() <= asked + 2 * 47  # only the third model's pairs are new
    assert forth is not None and back is not None
    assert 0 < forth.incomplete_pairs < 47 and forth.win_rate not in (None, 0.5)
    same = {"consistency", "position_bias", "questions", "incomplete_pairs", "statuses", "caution"}
    assert forth.model_dump(include=same) == back.model_dump(include=same)
    for one, other in (
        ("win_rate", "win_rate"), ("low", "high"), ("high", "low"), ("length_controlled", "length_controlled"),
        ("length_controlled_low", "length_controlled_high"), ("length_controlled_high", "length_controlled_low"),
    ):  # fmt: skip
        assert round(getattr(forth, one) + getattr(back, other), 9) == 1, one
    assert round(shown + metrics(project, "baseline")["win_rate"], 9) == 1
    assert {forth.verdict, back.verdict} in ({"undecided"}, {"better", "worse"})


def test_unusable_comparisons_are_counted_and_shown_and_no_win_and_no_loss(project: Project) -> None:
    answers = {"sft": ["It is 0.9"] * 39 + [" "], "baseline": ["It is 0.5"] * QUESTIONS}
    with OpenAIServer(scorer=comparing(better_one), faults=Faults(stuck={"refusal": 0.2})) as server:
        with_answers(project, server.base_url, answers, attempts=1)
        rate = to_the_end(project)["sft"]
    assert rate is not None
    refused = sum(row["status"] == "refused" for row in rows_of(project, "comparisons", "sft"))
    assert refused > 0
    assert rate.statuses == {"no_answer": 2, "ok": 78 - refused, "refused": refused}
    assert rate.questions + rate.incomplete_pairs == QUESTIONS
    assert rate.win_rate == 1 and rate.incomplete_pairs > 1
    project.run_ok("report.py")
    row = next(
        line for line in (project.root / "report/summary.md").read_text().splitlines() if "| sft | win rate" in line
    )
    assert f"| {rate.questions / QUESTIONS:.1%} |" in row
    page = (project.root / "report/index.html").read_text()
    assert f'<td class="numeric">{refused}</td><td class="numeric">{rate.incomplete_pairs}</td></tr>' in page


def test_comparisons_of_which_none_is_usable_are_still_counted_and_shown(project: Project) -> None:
    refusing = {"sft": ["one"] * QUESTIONS, "baseline": [" "] * QUESTIONS}
    with OpenAIServer() as server:
        with_answers(project, server.base_url, refusing)
        rate = to_the_end(project)["sft"]
    assert rate is not None
    assert (rate.win_rate, rate.verdict, rate.questions, rate.incomplete_pairs) == (None, "too few", 0, QUESTIONS)
    assert rate.statuses == {"no_answer": 2 * QUESTIONS}
    assert "win_rate" not in metrics(project)
    project.run_ok("report.py")
    assert "| sft | win rate | - | - | 0.0% |" in (project.root / "report/summary.md").read_text()


def test_comparing_switched_off_costs_nothing_and_the_pipeline_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer() as server:
        with_answers(project, server.base_url, {"sft": ["one"] * QUESTIONS, "baseline": ["two"] * QUESTIONS})
        project.set(compare__enabled=False)
        assert to_the_end(project) == {"sft": None, "baseline": None}
        assert server.counts.requests.total() == 2 * QUESTIONS  # the judge's alone
    assert rows_of(project, "comparisons", "sft") == []
    project.run_ok("report.py")
    said = "".join(
        (project.root / path).read_text().split("<script")[0] for path in ("report/summary.md", "report/index.html")
    )
    assert "win rate" not in said.lower()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    shown = subprocess.run(
        [sys.executable, "-m", "tuneproof.results.report.terminal"],
        cwd=project.root, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "sft" in shown.stdout and "win rate" not in shown.stdout


def test_preferences_are_graded_where_probabilities_are_asked_for(project: Project) -> None:
    with OpenAIServer(scorer=comparing(better_one)) as server:
        answers = {"sft": ["It is 0.9"] * QUESTIONS, "baseline": ["It is 0.5"] * QUESTIONS}
        with_answers(project, server.base_url, answers, logprobs=True, score_first=True)
        rate = to_the_end(project)["sft"]
    rows = rows_of(project, "comparisons", "sft")
    assert all(0.5 < row["preference"] < 1 for row in rows)
    for row in rows:
        chances = row["replies"][0]["probabilities"]["preference"]
        first = float(chances["1"]) + float(chances["2"]) / 2
        expected = first if row["order"] == "model_first" else 1 - first
        assert row["preference"] == pytest.approx(expected, abs=1e-5)
    assert rate is not None and rate.win_rate is not None
    assert rate.win_rate == pytest.approx(sum(row["preference"] for row in rows) / len(rows), abs=1e-5)


@pytest.mark.exhaustive
def test_a_killed_comparison_goes_on_without_buying_a_finished_reply_again(project: Project) -> None:
    concurrency, kills, questions = 4, 3, 30
    with OpenAIServer(latency_seconds=0.05, scorer=comparing(longer_one)) as server:
        answers = {"sft": [of_length(5 + n) for n in range(questions)], "baseline": ["nine char"] * questions}
        with_answers(project, server.base_url, answers, concurrency=concurrency)
        for kill in range(kills):
            process = ended_with_test(subprocess.Popen(
                [sys.executable, str(ROOT / "scripts" / "compare.py"), "sft"],
                cwd=project.root, stderr=subprocess.DEVNULL, start_new_session=True,
            ))  # fmt: skip
            while server.counts.paid.total() < 12 * (kill + 1) and process.poll() is None:
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert not (project.root / "data/comparisons/sft.jsonl").exists()
        project.run_ok("compare.py", "sft")
        rows = rows_of(project, "comparisons", "sft")
        assert [row["status"] for row in rows] == ["ok"] * 2 * questions
        asked = server.counts.requests.total()
        under_way = workers_for(concurrency)  # in flight, or answered and not yet on disk
        assert asked <= 2 * questions + under_way * kills
        project.run_ok("compare.py", "sft")
        assert server.counts.requests.total() == asked
        assert rows_of(project, "comparisons", "sft") == rows


def test_comparisons_with_another_baseline_are_refused(project: Project) -> None:
    with OpenAIServer() as server:
        with_answers(project, server.base_url, {"sft": ["one"] * 5, "dpo": ["three"] * 5, "baseline": ["two"] * 5})
        to_the_end(project)
    project.set(baseline="dpo")
    line = project.error_line("aggregate.py")
    assert "it compares with baseline, and the baseline is dpo; run `python scripts/compare.py sft`" in line


def test_the_embedded_judge_compares_without_a_call_and_mirrors(embedded_project: Project) -> None:
    root = embedded_project.root
    questions = [json.loads(line) for line in (root / "data/questions.jsonl").read_text().splitlines()]
    made = {"prompt": "", "finish_reason": "stop", "error": None, "prompt_tokens": 1, "answer_tokens": 1, "key": "k"}
    (root / "data/answers").mkdir()
    for model, text in (("sft", "reference"), ("baseline", "instruction")):  # one answers, the other repeats
        answers = [{"id": one["id"], "sample": 0, "answer": one[text], **made} for one in questions]
        write_rows(embedded_project, f"data/answers/{model}.jsonl", answers)
    embedded_project.run_ok("compare.py", "sft")
    forth = [row["preference"] for row in rows_of(embedded_project, "comparisons", "sft")]
    assert forth[::2] == forth[1::2]  # it looks at each answer by itself, so the order is nothing to it
    assert sum(forth) / len(forth) > 0.8 and any(0.5 < preference < 1 for preference in forth)
    embedded_project.set(baseline="sft")
    embedded_project.run_ok("compare.py", "baseline")
    back = [row["preference"] for row in rows_of(embedded_project, "comparisons", "baseline")]
    assert back == pytest.approx([1 - preference for preference in forth], abs=1e-9)
