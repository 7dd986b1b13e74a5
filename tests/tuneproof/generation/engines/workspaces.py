"""A project's root with questions and resolved models, as validate leaves it, for tests of the generate stage."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Project
from tests.processes import ended_with_test
from tuneproof.common.files import write_json
from tuneproof.generation.conversations.turns import first_requests
from tuneproof.generation.jobs import Engine, Job, Request
from tuneproof.records.documents.resolved import ResolvedAdapter, ResolvedModel
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.keys import sha256_hex
from tuneproof.records.rows import Answer, Question, Result
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params, settings_text

SMALL_MODELS = ROOT / "data" / "embedded" / "models"
LOOSE_SAMPLING = {"temperature": 1.3, "top_p": 1.0, "min_p": 0.0, "max_tokens": 24}  # so that seeds show

Texts = dict[tuple[str, int], str]


def instructions(count: int) -> list[str]:
    """Instructions of many lengths, all different."""
    return [f"Question {number}: " + "why does the loss rise? " * (number % 7) for number in range(count)]


class Workspace(Project):
    """A folder that the generate stage can be run in."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def settings(self) -> Params:
        """The settings as they stand there now."""
        return load_params(self.root / "params.yaml")

    def change(
        self,
        model: str = "sft",
        sampling: Mapping[str, Any] | None = None,
        own_sampling: Mapping[str, Any] | None = None,
        execution: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        """Changes one model's settings and execution (None takes one away), its own sampling, the sampling of all."""
        values = self.params()
        changed = values["models"].get(model, {}) | settings
        changed["sampling"] = changed.get("sampling", {}) | dict(own_sampling or {})
        values["models"][model] = {name: value for name, value in changed.items() if value is not None}
        values["generate"]["sampling"] |= sampling or {}
        models = values["execution"]["generate"]["models"]
        how = models.get(model, {}) | dict(execution or {})
        models[model] = {name: value for name, value in how.items() if value is not None}
        (self.root / "params.yaml").write_text(settings_text(values), encoding="utf-8")
        self.resolve(model)

    def resolve(self, model: str = "sft", **changes: Any) -> ResolvedModel:
        """Writes data/resolved/<model>.json as validate would for these settings."""
        settings = self.settings.models[model]
        adapter = settings.adapter and ResolvedAdapter(
            id=settings.adapter, sha=None, content=sha256_hex(settings.adapter)
        )
        resolved = ResolvedModel(
            model=model, run="real", dummy=False, embedded=False, engine=self.settings.generation(model).engine,
            prompt=settings.prompt, requested=settings.id or "", id=settings.id or settings.path or "", sha=None,
            content="content", adapter=adapter,
        ).model_copy(update=changes)  # fmt: skip
        write_json(self.root / "data/resolved" / f"{model}.json", resolved.model_dump())
        return resolved

    def ask(self, texts: Sequence[str]) -> list[Question]:
        """Writes data/questions.jsonl; a question's id is its text's beginning."""
        questions = [Question(id=text[:16], instruction=text, reference=None) for text in texts]
        write_rows(self.root / "data/questions.jsonl", questions)
        return questions

    @property
    def questions(self) -> list[Question]:
        """The questions as they stand there now."""
        return read_rows(self.root / "data/questions.jsonl", Question, made_by="validate.py")

    def job(self, model: str = "sft") -> Job:
        """What the engine is handed."""
        settings = self.settings
        execution = settings.execution.generate.of_model(model)
        return Job(self.resolve(model), settings.models[model], settings.generation(model), execution)

    def answers(self, model: str = "sft") -> list[Answer]:
        """The rows that the stage wrote."""
        return read_rows(self.root / "data/answers" / f"{model}.jsonl", Answer, made_by="generate.py")

    def texts(self, model: str = "sft") -> Texts:
        """The answers that the stage wrote, by question and sample."""
        return {(answer.id, answer.sample): answer.answer for answer in self.answers(model)}

    def read_json(self, name: str) -> Any:
        """One JSON document of the project."""
        return json.loads((self.root / name).read_text(encoding="utf-8"))

    def process(self, model: str = "sft", python: str = sys.executable) -> "subprocess.Popen[str]":
        """Starts the stage as a process of its own; what it prints comes together."""
        return ended_with_test(subprocess.Popen(
            [python, str(ROOT / "scripts" / "generate.py"), model], cwd=self.root, env=dict(os.environ), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ))  # fmt: skip


def rendered(engine: Engine, job: Job, questions: Sequence[Question]) -> list[Request]:
    """The requests of every question's first turn."""
    return first_requests(engine.renderer(job), questions, job.samples)


def answered(
    engine: Engine, job: Job, questions: Sequence[Question], shuffled: bool = False
) -> list[tuple[Request, Result]]:
    """What an engine saves when it is asked everything."""
    requests = rendered(engine, job, questions)
    if shuffled:
        random.Random(7).shuffle(requests)
    saved: list[tuple[Request, Result]] = []

    def save(request: Request, result: Result) -> Future[None]:
        saved.append((request, result))
        return on_disk()

    with engine.start(job) as ask:
        ask(requests, save)
    return saved


def on_disk() -> Future[None]:
    """What a ledger gives for a result that it has."""
    saved = Future[None]()
    saved.set_result(None)
    return saved


def texts_of(saved: Sequence[tuple[Request, Result]]) -> Texts:
    """What was saved, by question and sample."""
    return {(request.id, request.sample): result.answer for request, result in saved}


def make_workspace(
    root: Path, questions: int = 12, execution: Mapping[str, Any] | None = None, **settings: Any
) -> Workspace:
    """A workspace with one model `sft`; `settings` are the model's, and `execution` says how it runs."""
    (root / "data").mkdir(parents=True)
    model = {"id": str(SMALL_MODELS / "sft"), "prompt": "alpaca", "engine": "transformers", **settings}
    scale = {"question": "Is it right?", "scale": {0: "No.", 1: "Yes."}}
    params = {
        "baseline": "sft",
        "questions": {"dataset": "questions.jsonl"},
        "models": {"sft": model},
        "generate": {"sampling": dict(LOOSE_SAMPLING)},
        "judge": {"base_url": "http://localhost:9/v1", "criteria": {"accuracy": scale}},
        "compare": {"criteria": "Prefer the right one."},
        "execution": {"generate": {"transformers": {"device": "cpu"}, "models": {"sft": dict(execution or {})}}},
    }
    (root / "params.yaml").write_text(settings_text(params), encoding="utf-8")
    workspace = Workspace(root)
    workspace.resolve()
    workspace.ask(instructions(questions))
    return workspace


FULL_STOP = 16  # the small models' token for it


def with_tokens(folder: Path, *tokens: tuple[str, int]) -> Path:
    """A copy of a small model whose tokenizer calls these tokens special; one it lacks is added to it alone."""
    shutil.copytree(SMALL_MODELS / "sft", folder)
    file = folder / "tokenizer.json"
    words = json.loads(file.read_text())
    words["added_tokens"] += [
        {"id": number, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True}
        for text, number in tokens
    ]  # fmt: skip
    file.write_text(json.dumps(words))
    return folder
