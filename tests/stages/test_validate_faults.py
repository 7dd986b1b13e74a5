"""Whatever is wrong with the outside world is one line, and the workspace stays as it was."""

import json
import shutil

import pytest
import yaml

from tests.conftest import ROOT, Project
from tests.made_up.local_world import QUESTIONS, Break, edit_config, served, write_questions


def model_file(name: str, text: str | None) -> Break:
    def change(project: Project) -> None:
        path = project.root / "my-model" / name
        path.unlink() if text is None else path.write_text(text)

    return change


LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 16000000\n"


def pickled(project: Project) -> None:
    (project.root / "my-model" / "model.safetensors").rename(project.root / "my-model" / "pytorch_model.bin")


def without_chat_template(project: Project) -> None:
    path = project.root / "my-model" / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config.pop("chat_template", None)
    path.write_text(json.dumps(config))
    (project.root / "my-model" / "chat_template.jinja").unlink(missing_ok=True)
    project.set(models__sft={"id": "my-model", "prompt": "chat"})


def with_adapter_of_another_kind(project: Project) -> None:
    adapter = project.root / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"peft_type": "PREFIX_TUNING"}')
    shutil.copy(project.root / "my-model" / "model.safetensors", adapter / "adapter_model.safetensors")
    project.set(models__sft={"id": "my-model", "prompt": "alpaca", "engine": "vllm", "adapter": "adapter"})


def with_repeated_ids(project: Project) -> None:
    write_questions(project, [QUESTIONS[0]] * 2)
    project.set(questions__id_column="output")


def with_a_recorded_file(content: str) -> Break:
    def change(project: Project) -> None:
        (project.root / "answers.jsonl").write_text(content)
        project.set(models__sft={"engine": "recorded", "path": "answers.jsonl"})

    return change


def without_a_tracked_section(project: Project) -> None:
    shutil.copy(ROOT / "dvc.yaml", project.root)
    params = project.params()
    del params["decision"]
    (project.root / "params.yaml").write_text(yaml.safe_dump(params))


def with_resolved_blocked(project: Project) -> None:
    shutil.rmtree(project.root / "data" / "resolved")
    (project.root / "data" / "resolved").write_text("a file where a folder belongs")
    write_questions(project, QUESTIONS[:1])


def with_questions_blocked(project: Project) -> None:
    (project.root / "data" / "questions.jsonl").unlink()
    (project.root / "data" / "questions.jsonl").mkdir()


BAD_WORLDS: list[tuple[str, Break, str]] = [
    ("empty recorded file", with_a_recorded_file(""), "error: answers.jsonl: the file is empty"),
    ("recorded file of others", with_a_recorded_file('{"a": 1}'), "error: answers.jsonl: its columns are a; give it"),
    ("section left out", without_a_tracked_section, "params.yaml, decision: it is missing"),
    ("no question file", lambda p: p.set(questions__dataset="missing.jsonl"), "there is no such file"),
    ("empty question file", lambda p: write_questions(p, []), "empty"),
    ("broken JSON", lambda p: (p.root / "questions.jsonl").write_text('{"instruction": 1}\n{"inst'), "line 2"),
    ("missing column", lambda p: p.set(questions__instruction_column="prompt"), "no column prompt, only"),
    ("missing tag", lambda p: p.set(questions__tag_columns=["level"]), "no column level, only"),
    ("empty instruction", lambda p: write_questions(p, [{"instruction": " ", "output": "x"}]), "row 1: the field"),
    ("null instruction", lambda p: write_questions(p, [*QUESTIONS, {"instruction": None, "output": "x"}]), "row 3"),
    ("list instruction", lambda p: write_questions(p, [{"instruction": ["a"], "output": "x"}]), "is a list"),
    ("repeated id", with_repeated_ids, "twice"),
    ("unknown file type", lambda p: p.set(questions__dataset="params.yaml"), "in no format that is read here"),
    ("no model folder", lambda p: p.set(models__sft={"id": "./nowhere"}), "there is no such folder"),
    ("no Hub id", lambda p: p.set(models__sft={"id": "my model"}), "neither a folder here nor a Hub id"),
    ("model is a file", lambda p: p.set(models__sft={"id": "params.yaml"}), "this is a file, not a folder"),
    ("no weights", model_file("model.safetensors", None), "no weights"),
    ("pickled weights", pickled, "pickles"),
    ("no config", model_file("config.json", None), "it has no config.json"),
    ("broken config", model_file("config.json", "{"), "its config.json is no JSON"),
    ("tokenizer is a pointer", model_file("tokenizer.json", LFS_POINTER), "its tokenizer.json is no JSON"),
    ("broken tokenizer", model_file("tokenizer.json", "{"), "its tokenizer.json is no JSON"),
    ("tokenizer is a list", model_file("tokenizer.json", "[]"), "its tokenizer.json is no JSON object"),
    ("weights are a pointer", model_file("model.safetensors", LFS_POINTER), "its model.safetensors cannot be read"),
    ("config is a list", model_file("config.json", "[]"), "is no JSON object"),
    ("no architecture", edit_config(architectures=[]), "names no architecture"),
    ("foreign code", edit_config(auto_map={"AutoModel": "evil.Model"}), "code of its own"),
    ("no tokenizer", model_file("tokenizer.json", None), "it has no tokenizer"),
    ("no chat template", without_chat_template, "it has no chat template"),
    ("adapter of another kind", with_adapter_of_another_kind, "its adapter is of type PREFIX_TUNING"),
    ("no recorded file", lambda p: p.set(models__sft={"engine": "recorded", "path": "x.jsonl"}), "no file x.jsonl"),
    ("alpaca at an endpoint", served(prompt="alpaca"), "an endpoint is asked in chat messages"),
    ("split of a file", lambda p: p.set(questions__split="train"), "a split has no effect on it"),
    ("long model id", lambda p: p.set(models__sft={"id": "m" * 300}), "this cannot be looked for"),
    ("long dataset", lambda p: p.set(questions__dataset="q" * 300 + ".jsonl"), "this cannot be looked for"),
    ("secrets not UTF-8", lambda p: (p.root / ".env").write_bytes(b"A=\xff\n"), "it cannot be read as UTF-8 text"),
    ("resolved is a file", with_resolved_blocked, "it cannot be written"),
    ("questions is a folder", with_questions_blocked, "it cannot be written"),
    ("broken pins", lambda p: (p.root / "data" / "pins.json").write_text("{"), "this is not a file of pins"),
]


@pytest.mark.parametrize(("fault", "expected"), [row[1:] for row in BAD_WORLDS], ids=[row[0] for row in BAD_WORLDS])
def test_a_fault_of_the_outside_world_is_one_line_and_leaves_the_workspace_as_it_was(
    fault: Break, expected: str, local: Project
) -> None:
    local.run_ok("validate.py")
    fault(local)
    before = local.files()
    assert expected in local.error_line("validate.py")
    assert local.files() == before
