"""What tests of judging share: a project of recorded answers whose judge is a local server."""

import json
from typing import Any

from tests.conftest import Project
from tuneproof.settings.execution import JudgeExecution


def write_rows(project: Project, name: str, rows: list[dict[str, Any]]) -> None:
    """Writes a JSON Lines file into the project."""
    (project.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def settings_of_judge(**judge: Any) -> dict[str, Any]:
    """Settings of `judge` or `execution.judge`, as Project.set takes them."""
    speed = JudgeExecution.model_fields
    return {f"execution__judge__{name}" if name in speed else f"judge__{name}": judge[name] for name in judge}


def with_answers(project: Project, base_url: str, models: dict[str, list[str]], **judge: Any) -> Project:
    """A project with recorded answers, validated and generated; the baseline is the last of the models.

    `judge` are settings of `judge` or `execution.judge`.
    """
    count = len(next(iter(models.values())))
    rows = [{"instruction": f"What is {number}?", "output": f"It is {number}."} for number in range(count)]
    write_rows(project, "questions.jsonl", rows)
    for model, answers in models.items():
        recorded = [
            {"instruction": row["instruction"], "answer": answer} for row, answer in zip(rows, answers, strict=True)
        ]
        write_rows(project, f"{model}.jsonl", recorded)
    project.set(
        questions__dataset="questions.jsonl",
        baseline=list(models)[-1],
        models={model: {"engine": "recorded", "path": f"{model}.jsonl"} for model in models},
        judge__base_url=base_url,
        judge__min_coverage=0.0,
        **settings_of_judge(**judge),
    )
    project.run_ok("validate.py")
    for model in models:
        project.run_ok("generate.py", model)
    return project


def rows_of(project: Project, stage: str, model: str) -> list[dict[str, Any]]:
    """The rows that a stage wrote: judgements or comparisons."""
    lines = (project.root / "data" / stage / f"{model}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def cost_of(rows: list[dict[str, Any]], prompt: float, reply: float) -> float:
    """USD for every reply in rows, at prices per million tokens."""
    replies = [one for row in rows for one in row["replies"]]
    return float(sum(one["prompt_tokens"] * prompt + one["reply_tokens"] * reply for one in replies) / 1e6)
