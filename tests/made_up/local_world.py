"""A real world made of local files, for the tests of validate."""

import json
import shutil
from collections.abc import Callable
from typing import Any

from tests.conftest import ROOT, Project

EMBEDDED_MODELS = ROOT / "data" / "embedded" / "models"
QUESTIONS = [
    {"instruction": "What is a token?", "output": "A piece of text.", "topic": "basics"},
    {"instruction": "What is an epoch?", "output": "One pass over the data.", "topic": "training"},
]


def local_world(project: Project) -> Project:
    """A real world made of local files: a question file, two model folders, a judge at a private address."""
    write_questions(project, QUESTIONS)
    shutil.copytree(EMBEDDED_MODELS / "sft", project.root / "my-model")
    project.set(
        questions__dataset="questions.jsonl",
        generate__engine="transformers",
        judge__base_url="http://localhost:9/v1",
        models={
            "sft": {"id": "my-model", "prompt": "alpaca"},
            "baseline": {"id": str(EMBEDDED_MODELS / "base"), "prompt": "chat"},
        },
    )
    return project


def write_questions(project: Project, rows: list[dict[str, Any]], name: str = "questions.jsonl") -> None:
    """Writes the question file."""
    (project.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def resolved(project: Project, name: str) -> dict[str, Any]:
    """One file of data/resolved."""
    document: dict[str, Any] = json.loads((project.root / "data" / "resolved" / f"{name}.json").read_text())
    return document


def questions(project: Project) -> list[dict[str, Any]]:
    """The questions that validate wrote."""
    return [json.loads(line) for line in (project.root / "data" / "questions.jsonl").read_text().splitlines()]


Break = Callable[[Project], object]


def edit_config(**values: Any) -> Break:
    """Changes the config.json of sft's model."""

    def change(project: Project) -> None:
        path = project.root / "my-model" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def served(**settings: Any) -> Break:
    """Puts sft behind an endpoint that is not there."""
    model = {"id": "hosted", "engine": "endpoint", "base_url": "http://localhost:9/v1", **settings}
    return lambda project: project.set(models__sft=model)
