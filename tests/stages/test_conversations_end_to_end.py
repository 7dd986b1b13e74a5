"""Conversations from questions to report: recorded answers in two turns, and a judge that is a local server."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser import chromium, opened
from tests.conftest import Project
from tests.made_up.judging import rows_of, write_rows
from tests.pipeline.answers_page import saved
from tests.running import run_here
from tests.servers.openai.replies import default_scorer
from tests.servers.openai.server import OpenAIServer
from tuneproof.records.rows import Answer, Check, Judgement, Question
from tuneproof.results.details.model import Details, read_details
from tuneproof.results.publishing.rows import parquet_files, result_rows

QUESTIONS, TURNS, MODELS = 12, 2, ("sft", "baseline")
EVERY = QUESTIONS * TURNS
Shown = list[dict[str, Any]]


def questions() -> list[dict[str, Any]]:
    return [
        {"id": f"q{number}", "turns": [f"What is {number}?", "And its double?"], "topic": str(number % 2),
         "reference": [f"It is {number}.", str(2 * number)] if number % 3 else None}
        for number in range(QUESTIONS)
    ]  # fmt: skip


def answers(model: str, error: bool = False) -> list[dict[str, Any]]:
    rows = [
        {"id": f"q{number}", "turn": turn, "answer": f"{model} says {number}, turn {turn}."}
        for number in range(QUESTIONS)
        for turn in range(TURNS)
    ]
    if error:
        rows[0] |= {"answer": "", "finish_reason": "error", "error": "too long"}
    return rows


def prepared(project: Project, server: OpenAIServer, error: bool = False, **settings: Any) -> Project:
    """A project with generated answers."""
    write_rows(project, "questions.jsonl", questions())
    for model in MODELS:
        write_rows(project, f"{model}.jsonl", answers(model, error and model == "sft"))
    project.set(
        questions__dataset="questions.jsonl", questions__turns_column="turns", questions__reference_column="reference",
        questions__id_column="id", questions__tag_columns=["topic"], baseline="baseline",
        models={model: {"engine": "recorded", "path": f"{model}.jsonl"} for model in MODELS},
        judge__base_url=server.base_url, judge__min_coverage=0.0, check={"short": {"kind": "words", "at_most": 9}},
        **settings,
    )  # fmt: skip
    assert "column turns: a list of turns, 12 of 2 turns; 0 with history" in project.run_ok("validate.py")
    for model in MODELS:
        project.run_ok("generate.py", model)
    return project


@pytest.fixture
def asked() -> Shown:
    """The requests that the judge got."""
    return []


@pytest.fixture
def judge(asked: Shown) -> Callable[[dict[str, Any]], str]:
    def scores(body: dict[str, Any]) -> str:
        asked.append(body)
        return default_scorer(body)

    return scores


def fences(body: dict[str, Any]) -> list[tuple[str, str]]:
    """What stands in a request between its fences, in order: name and text."""
    text = body["messages"][1]["content"]
    return re.findall(r"<<<([A-Z0-9 ]+) [0-9a-f]{16}>>>\n(.*?)\n<<<END [0-9a-f]{16}>>>", text, flags=re.DOTALL)


def names(body: dict[str, Any]) -> list[str]:
    return [name for name, _ in fences(body)]


def details_of(project: Project) -> Details:
    return read_details(project.root / "data" / "details" / "sft.json")


def read(project: Project, name: str, kind: type[Any]) -> list[Any]:
    lines = (project.root / "data" / name).read_text().splitlines()
    return [kind.model_validate_json(line) for line in lines]


def test_each_answer_is_judged_with_the_conversation_up_to_it(
    project: Project, judge: Callable[[dict[str, Any]], str], asked: Shown
) -> None:
    with OpenAIServer(scorer=judge) as server:
        prepared(project, server)
        project.run_ok("judge.py", "sft")
    rows = rows_of(project, "judgements", "sft")
    assert [(row["id"], row["turn"], row["status"]) for row in rows] == [
        (f"q{number}", turn, "ok") for number in range(QUESTIONS) for turn in (0, 1)
    ]
    seconds = [body for body in asked if "turn 1." in fences(body)[-1][1]]
    firsts = [body for body in asked if body not in seconds]
    assert len(firsts) == len(seconds) == QUESTIONS
    assert {tuple(names(body)) for body in firsts} == {("QUESTION", "ANSWER"), ("QUESTION", "REFERENCE", "ANSWER")}
    [one] = [body for body in seconds if "sft says 5, turn 1." in fences(body)[-1][1]]
    assert fences(one) == [
        ("USER", "What is 5?"), ("ASSISTANT", "sft says 5, turn 0."), ("QUESTION", "And its double?"),
        ("REFERENCE", "10"), ("ANSWER", "sft says 5, turn 1."),
    ]  # fmt: skip
    assert "not graded" in one["messages"][1]["content"]


def test_a_whole_conversation_gets_one_judgement(
    project: Project, judge: Callable[[dict[str, Any]], str], asked: Shown
) -> None:
    with OpenAIServer(scorer=judge) as server:
        prepared(project, server, judge__per="conversation")
        for stage in ("judge.py", "compare.py", "check.py"):
            for model in MODELS:
                project.run_ok(stage, model)
        project.run_ok("aggregate.py")
        project.run_ok("report.py")
    rows = rows_of(project, "judgements", "sft")
    assert [(row["id"], row["turn"]) for row in rows] == [(f"q{number}", 1) for number in range(QUESTIONS)]
    [one] = [body for body in asked if fences(body)[-1] == ("ANSWER", "sft says 5, turn 1.")]
    assert names(one) == ["USER", "REFERENCE", "ASSISTANT", "QUESTION", "REFERENCE", "ANSWER"]
    assert "Grade all that the assistant says" in one["messages"][1]["content"]
    details = details_of(project)
    assert (details.answers, details.scored, details.run.judge_settings["per"]) == (12, 12, "conversation")
    assert not [one for one in details.slices if one.tag == "turn"]
    assert len(rows_of(project, "comparisons", "sft")) == 2 * QUESTIONS
    questions_, said, judged = (
        read(project, "questions.jsonl", Question), read(project, "answers/sft.jsonl", Answer),
        read(project, "judgements/sft.jsonl", Judgement),
    )  # fmt: skip
    published = result_rows(questions_, said, judged, ["accuracy", "style"], "here")
    assert [row["status"] for row in published[:2]] == [None, "ok"]


def test_pairs_show_each_conversation_with_its_own_answers(
    project: Project, judge: Callable[[dict[str, Any]], str], asked: Shown
) -> None:
    with OpenAIServer(scorer=judge) as server:
        prepared(project, server)
        project.run_ok("compare.py", "sft")
    rows = rows_of(project, "comparisons", "sft")
    assert len(rows) == 2 * EVERY
    assert [(row["id"], row["turn"], row["order"]) for row in rows[:4]] == [
        ("q0", 0, "model_first"), ("q0", 0, "baseline_first"), ("q0", 1, "model_first"), ("q0", 1, "baseline_first"),
    ]  # fmt: skip
    [one] = [body for body in asked if fences(body)[-1] == ("ANSWER 2", "sft says 5, turn 1.")]
    assert fences(one) == [
        ("USER", "What is 5?"), ("ASSISTANT", "baseline says 5, turn 0."),
        ("USER", "What is 5?"), ("ASSISTANT", "sft says 5, turn 0."),
        ("QUESTION", "And its double?"), ("REFERENCE", "10"),
        ("ANSWER 1", "baseline says 5, turn 1."), ("ANSWER 2", "sft says 5, turn 1."),
    ]  # fmt: skip


def test_a_failed_turn_is_not_sent_and_its_followers_are_not_either(
    project: Project, judge: Callable[[dict[str, Any]], str], asked: Shown
) -> None:
    with OpenAIServer(scorer=judge) as server:
        prepared(project, server, error=True)
        project.run_ok("judge.py", "sft")
    rows = rows_of(project, "judgements", "sft")
    assert [row["status"] for row in rows[:4]] == ["no_answer", "no_answer", "ok", "ok"]
    assert len(asked) == EVERY - 2


def test_every_part_of_a_conversation_is_cut_at_the_limit(
    project: Project, judge: Callable[[dict[str, Any]], str], asked: Shown
) -> None:
    with OpenAIServer(scorer=judge) as server:
        prepared(project, server, judge__max_answer_characters=8)
        project.run_ok("judge.py", "sft")
    [one] = [
        body for body in asked if fences(body)[:1] == [("USER", "What is ")] and ("REFERENCE", "10") in fences(body)
    ]
    assert fences(one)[1] == ("ASSISTANT", "sft says") and fences(one)[-1] == ("ANSWER", "sft says")
    assert "Some of these messages were cut here" in one["messages"][1]["content"]
    assert all(row["answer_cut"] for row in rows_of(project, "judgements", "sft"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run to its end."""
    folder = tmp_path_factory.mktemp("conversations") / "project"
    folder.mkdir()
    project = Project(folder)
    with OpenAIServer() as server:
        prepared(project, server)
        for stage in ("judge.py", "compare.py", "check.py"):
            for model in MODELS:
                project.run_ok(stage, model)
    project.run_ok("aggregate.py")
    project.run_ok("report.py")
    return project


def test_turns_are_averaged_within_their_question_and_shown_apart(whole: Project) -> None:
    details, judged = details_of(whole), rows_of(whole, "judgements", "sft")
    assert (details.questions, details.samples, details.answers) == (QUESTIONS, 1, EVERY)
    assert details.criteria["accuracy"].scored == QUESTIONS
    scores = [row["scores"]["accuracy"] for row in judged]
    assert details.criteria["accuracy"].mean == pytest.approx(sum(scores) / EVERY, abs=1e-5)
    by_turn = {one.value: one for one in details.slices if one.tag == "turn"}
    assert list(by_turn) == ["1 of 2", "2 of 2"]
    for turn, found in enumerate(by_turn.values()):
        assert found.questions == QUESTIONS
        mean = sum(scores[turn::2]) / QUESTIONS
        assert found.criteria["accuracy"].mean == pytest.approx(mean, abs=1e-5)
        assert found.criteria["accuracy"].gain is not None
        assert found.criteria["short"].mean == 1
    assert details.win_rate and details.win_rate.questions == QUESTIONS


def test_checks_carry_turns_and_see_what_the_turn_asks(whole: Project) -> None:
    rows = rows_of(whole, "checks", "sft")
    assert [(row["id"], row["turn"]) for row in rows[:3]] == [("q0", 0), ("q0", 1), ("q1", 0)]


def test_the_report_holds_the_conversation_as_one(whole: Project) -> None:
    page = (whole.root / "report" / "index.html").read_text()
    data = json.loads(re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page, flags=re.DOTALL)[1])  # type: ignore[index]
    [one] = [question for question in data["questions"] if question["id"] == "q5"]
    assert one["turns"] == ["What is 5?", "And its double?"] and one["history"] == []
    assert one["references"] == ["It is 5.", "10"]
    assert [row["turn"] for row in one["answers"][0]] == [0, 1]
    assert [pair["turn"] for pair in one["pairs"][0]] == [0, 0, 1, 1]


def test_a_reader_sees_each_model_s_conversation_from_its_first_turn_to_its_last(whole: Project) -> None:
    with chromium() as browser, opened(browser, whole.root / "report" / "index.html", "#q=q5") as watched:
        column = watched.page.locator("details[open] .answer").first
        shown = column.inner_text()
        places = [
            shown.index(text)
            for text in ("Turn 1 of 2", "What is 5?", "sft says 5, turn 0.", "Turn 2 of 2", "And its double?")
        ]
        assert places == sorted(places) and shown.index("sft says 5, turn 1.") > places[-1]
        body = watched.page.locator("details[open] .body").inner_text()
        assert "Reference of turn 1" in body and "Reference of turn 2" in body and "Before the first turn" not in body
        assert "turn 2" in column.locator(".pairs").inner_text()
        assert column.locator(".next").all_inner_texts() == ["Turn 2 of 2"]
        watched.page.get_by_role("link", name="second turn").click()
        assert watched.page.url.endswith("#answers?show=turns")
        assert watched.page.locator("#count").inner_text() == f"{QUESTIONS} of {QUESTIONS} questions"
        assert watched.page.locator(".asked").first.inner_text().startswith("2 turns · ")
        assert watched.is_quiet(), watched


def test_answers_that_were_cut_off_are_counted_in_questions_and_their_turns_stand_on_the_rows(
    whole: Project, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(whole.root, tmp_path / "cut", symlinks=True))
    path, cut = root / "data/answers/baseline.jsonl", {("q0", 0), ("q0", 1), ("q5", 1)}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    changed = [row | {"finish_reason": "length"} if (row["id"], row["turn"]) in cut else row for row in rows]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in changed))
    for stage in ("aggregate.py", "report.py"):
        assert run_here(root, stage).returncode == 0
    with chromium() as browser, opened(browser, root / "report" / "index.html") as watched:
        watched.page.get_by_role("link", name="3 were cut off at the token limit in 2 questions").click()
        assert watched.page.locator("#count").inner_text() == f"2 of {QUESTIONS} questions"
        found = {text.split(" · ")[0] for text in watched.page.locator(".asked").all_inner_texts()}
        assert found == {"2 turns, found in turn 1 and 2", "2 turns, found in turn 2"}
        marks = {row.inner_text(): row.get_attribute("title") for row in watched.page.locator(".sign").all()}
        assert marks == {
            f"{number} of 2 cut off": f"{number} of 2 answers of baseline to this question (2 turns): "
            "cut off at the token limit"
            for number in (1, 2)
        }
        records = [json.loads(line) for line in saved(watched.page, "JSON Lines").splitlines()]
        assert {(record["model"], record["id"], record["turn"]) for record in records} == {
            ("baseline", *one) for one in cut
        }
        assert "1 of 2 cut off is said of a model's answers" in watched.page.locator(".browser").inner_text()
        assert "A row has each model's mean score over its turns; " in watched.page.locator(".browser").inner_text()


def test_a_downloaded_turn_has_its_own_scores_and_the_change_of_its_whole_question(whole: Project) -> None:
    with chromium() as browser, opened(browser, whole.root / "report" / "index.html", "#answers?model=sft") as watched:
        records = [json.loads(line) for line in saved(watched.page, "JSON Lines").splitlines()]
    judged = {
        (model, row["id"], row["turn"]): row["scores"]["accuracy"]
        for model in MODELS
        for row in rows_of(whole, "judgements", model)
    }
    assert len(records) == EVERY
    for record in records:
        means = [sum(judged[model, record["id"], turn] for turn in range(TURNS)) / TURNS for model in MODELS]
        assert record["scores"]["accuracy"] == judged["sft", record["id"], record["turn"]]
        assert record["question_changes"]["accuracy"] == pytest.approx(means[0] - means[1])
    assert any(judged["sft", f"q{number}", 0] != judged["sft", f"q{number}", 1] for number in range(QUESTIONS))


def test_published_rows_have_messages_and_turn(whole: Project, tmp_path: Path) -> None:
    rows = result_rows(
        read(whole, "questions.jsonl", Question), read(whole, "answers/sft.jsonl", Answer),
        read(whole, "judgements/sft.jsonl", Judgement), ["accuracy", "style", "short"], "here",
        read(whole, "checks/sft.jsonl", Check),
    )  # fmt: skip
    assert [row["turn"] for row in rows[:3]] == [0, 1, 0]
    assert rows[1]["instruction"] == "And its double?" and rows[3]["reference"] == "2"
    assert [message["content"] for message in rows[1]["messages"]] == [
        "What is 0?", "sft says 0, turn 0.", "And its double?", "sft says 0, turn 1.",
    ]  # fmt: skip
    [(_, content)] = parquet_files(rows, ["accuracy", "style", "short"]).items()
    (tmp_path / "rows.parquet").write_bytes(content)
    from datasets import load_dataset

    loaded = load_dataset("parquet", data_files=str(tmp_path / "rows.parquet"), split="train", cache_dir=str(tmp_path))
    assert loaded[1]["messages"] == rows[1]["messages"] and loaded[1]["turn"] == 1
