"""A project whose models and judge are local servers, for what happens while answers are generated."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Project
from tests.made_up.judging import settings_of_judge, write_rows
from tests.processes import ended_with_test
from tests.servers.openai.server import OpenAIServer


def answering(body: dict[str, Any]) -> str:
    """A model's answer: the last message and how many came before it, so that every answer is another one."""
    asked, said = body["messages"][-1]["content"], len(body["messages"])
    return f"Of {asked} {body.get('model')} says {said}, by seed {body.get('seed')}."


def with_servers(
    project: Project, model_url: str, judge_url: str, rows: list[dict[str, Any]], models: tuple[str, ...] = ("sft",),
    concurrency: int = 4, **judge: Any,
) -> Project:  # fmt: skip
    """A validated project: `rows` are the questions, the baseline is the last of the models.

    `concurrency` is the models'; `judge` are settings of `judge` or `execution.judge`.
    """
    write_rows(project, "questions.jsonl", rows)
    served = {"engine": "endpoint", "prompt": "chat", "base_url": model_url}
    project.set(
        questions__dataset="questions.jsonl",
        baseline=models[-1],
        models={model: {**served, "id": model} for model in models},
        execution__generate__endpoint={"concurrency": concurrency},
        judge__base_url=judge_url,
        judge__min_coverage=0.0,
        **settings_of_judge(follow=True, **judge),
    )
    project.run_ok("validate.py")
    return project


def plain(count: int) -> list[dict[str, Any]]:
    """Questions of one message."""
    return [{"instruction": f"What is {number}?", "output": f"It is {number}."} for number in range(count)]


def start(root: Path, script: str, *arguments: str) -> "subprocess.Popen[str]":
    """A stage in a process group of its own."""
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    return ended_with_test(
        subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL, start_new_session=True, text=True)
    )


def processes_in(root: Path) -> dict[int, str]:
    """The processes of this project that are alive, by id: those that work in its folder."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").resolve() == root.resolve() and (folder / "stat").read_text().split(") ")[1][0] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def bought_twice(server: OpenAIServer) -> list[str]:
    """The requests that the server gave more than one reply to."""
    return [name for name, count in server.counts.paid.items() if count > 1]
