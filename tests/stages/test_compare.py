import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import Project
from tests.servers.openai.faults import Faults
from tests.servers.openai.server import OpenAIServer

QUESTIONS = 12


def by_position(body: dict[str, Any], first: int) -> str:
    """A judge that always gives the same score, whatever the answers are."""
    return json.dumps({"preference": {"analysis": "", "score": first}})


def prefers_the_longer(body: dict[str, Any]) -> str:
    """A judge that looks at length alone."""
    text = body["messages"][1]["content"]
    first = text.split("Answer 1:")[1].split("Answer 2:")[0]
    second = text.split("Answer 2:")[1]
    score = 1 if first.count("long") > second.count("long") else 3
    return json.dumps({"preference": {"analysis": "", "score": score}})


@pytest.fixture
def compared(project: Project) -> Iterator[Callable[..., tuple[Project, OpenAIServer]]]:
    """Makes a project with two recorded models and compares them with a judge of the test's choice."""
    servers = []

    def make(model: str = "short", baseline: str = "short", **options: Any) -> tuple[Project, OpenAIServer]:
        server = OpenAIServer(**options).__enter__()
        servers.append(server)
        rows = [{"instruction": f"What is {number}?", "output": f"It is {number}."} for number in range(QUESTIONS)]
        write(project, "questions.jsonl", rows)
        for name, text in (("sft", model), ("baseline", baseline)):
            write(project, f"{name}.jsonl", [{"instruction": row["instruction"], "answer": text} for row in rows])
        project.set(
            questions__dataset="questions.jsonl",
            models={name: {"engine": "recorded", "path": f"{name}.jsonl"} for name in ("sft", "baseline")},
            judge__base_url=server.base_url,
        )
        project.run_ok("validate.py")
        for name in ("sft", "baseline"):
            project.run_ok("generate.py", name)
        return project, server

    yield make
    for server in servers:
        server.__exit__(None, None, None)


def write(project: Project, name: str, rows: list[dict[str, Any]]) -> None:
    (project.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def comparisons(project: Project, model: str = "sft") -> list[dict[str, Any]]:
    lines = (project.root / "data" / "comparisons" / f"{model}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_question_is_asked_in_both_orders_and_a_second_run_sends_nothing(
    compared: Callable[..., tuple[Project, OpenAIServer]],
) -> None:
    project, server = compared(model="another")
    project.run_ok("compare.py", "sft")
    rows = comparisons(project)
    assert [row["order"] for row in rows] == ["model_first", "baseline_first"] * QUESTIONS
    assert {row["against"] for row in rows} == {"baseline"}
    assert server.counts.requests.total() == 2 * QUESTIONS
    before = project.files()
    project.run_ok("compare.py", "sft")
    assert server.counts.requests.total() == 2 * QUESTIONS
    assert project.files() == before


def test_two_equal_answers_are_one_question_to_the_judge_and_a_tie(
    compared: Callable[..., tuple[Project, OpenAIServer]],
) -> None:
    project, server = compared(scorer=lambda body: by_position(body, 1))
    project.run_ok("compare.py", "sft")
    assert server.counts.requests.total() == QUESTIONS
    assert sum(row["preference"] for row in comparisons(project)) == QUESTIONS


def test_a_judge_that_prefers_the_first_answer_cancels_out(
    compared: Callable[..., tuple[Project, OpenAIServer]],
) -> None:
    project, _ = compared(scorer=lambda body: by_position(body, 1))
    project.run_ok("compare.py", "sft")
    preferences = [row["preference"] for row in comparisons(project)]
    assert preferences == [1, 0] * QUESTIONS


def test_a_preference_for_the_longer_answer_points_to_the_longer_model(
    compared: Callable[..., tuple[Project, OpenAIServer]],
) -> None:
    project, _ = compared(model="a long long answer", baseline="a long answer", scorer=prefers_the_longer)
    project.run_ok("compare.py", "sft")
    assert {row["preference"] for row in comparisons(project)} == {1}


def test_a_tie_is_half(compared: Callable[..., tuple[Project, OpenAIServer]]) -> None:
    project, _ = compared(scorer=lambda body: by_position(body, 2))
    project.run_ok("compare.py", "sft")
    assert {row["preference"] for row in comparisons(project)} == {0.5}


def test_the_judge_does_not_see_which_answer_is_whose(compared: Callable[..., tuple[Project, OpenAIServer]]) -> None:
    seen = []

    def note(body: dict[str, Any]) -> str:
        seen.append(json.dumps(body["messages"]))
        return by_position(body, 2)

    project, _ = compared(scorer=note)
    project.run_ok("compare.py", "sft")
    assert seen
    assert not [text for text in seen if "sft" in text or "baseline" in text]


def test_an_unreadable_comparison_is_no_preference(compared: Callable[..., tuple[Project, OpenAIServer]]) -> None:
    project, _ = compared(faults=Faults(stuck={"off_scale": 1.0}))
    project.run_ok("compare.py", "sft")
    assert {(row["status"], row["preference"]) for row in comparisons(project)} == {("unreadable", None)}


def test_an_empty_answer_is_not_compared(compared: Callable[..., tuple[Project, OpenAIServer]]) -> None:
    project, server = compared(model=" ")
    project.run_ok("compare.py", "sft")
    assert {(row["status"], row["preference"]) for row in comparisons(project)} == {("no_answer", None)}
    assert server.counts.requests.total() == 0


def test_the_baseline_and_a_switched_off_comparison_give_an_empty_file_without_calls(
    compared: Callable[..., tuple[Project, OpenAIServer]],
) -> None:
    project, server = compared()
    project.run_ok("compare.py", "baseline")
    assert comparisons(project, "baseline") == []
    project.set(compare__enabled=False)
    project.run_ok("compare.py", "sft")
    assert comparisons(project) == []
    assert server.counts.requests.total() == 0


def test_answers_to_different_questions_are_refused(compared: Callable[..., tuple[Project, OpenAIServer]]) -> None:
    project, _ = compared()
    path = project.root / "data" / "answers" / "baseline.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "not of the same questions" in project.error_line("compare.py", "sft")


def test_swapping_the_sides_mirrors_the_preference(compared: Callable[..., tuple[Project, OpenAIServer]]) -> None:
    project, _ = compared(model="a long long answer", baseline="a long answer", scorer=prefers_the_longer)
    project.run_ok("compare.py", "sft")
    forward = [row["preference"] for row in comparisons(project)]
    project.set(baseline="sft")
    project.run_ok("compare.py", "baseline")
    backward = [row["preference"] for row in comparisons(project, "baseline")]
    assert [1 - preference for preference in forward] == backward
