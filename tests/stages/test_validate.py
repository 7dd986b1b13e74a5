import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Project

EMBEDDED_MODELS = ROOT / "data" / "embedded" / "models"
QUESTIONS = [
    {"instruction": "What is a token?", "output": "A piece of text.", "topic": "basics"},
    {"instruction": "What is an epoch?", "output": "One pass over the data.", "topic": "training"},
]


@pytest.fixture
def local(project: Project) -> Project:
    """A real world made of local files: a question file, three model folders, a judge at a private address."""
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
    (project.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def resolved(project: Project, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project.root / "data" / "resolved" / f"{name}.json").read_text())
    return document


def questions(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project.root / "data" / "questions.jsonl").read_text().splitlines()]


def test_the_embedded_world_replaces_questions_models_and_judge_together(project: Project) -> None:
    project.set(embedded=True)
    project.run_ok("validate.py")
    assert len(questions(project)) == 40
    names = {name: resolved(project, name)["id"].rsplit("/", 1)[-1] for name in ("sft", "dpo", "baseline")}
    assert names == {"sft": "sft", "dpo": "dpo", "baseline": "base"}
    assert resolved(project, "sft")["requested"] == "mlabonne/TwinLlama-3.1-8B"
    assert resolved(project, "judge")["backend"] == "embedded"
    for name in ("sft", "dpo", "baseline", "judge", "questions"):
        assert resolved(project, name)["run"] == "embedded"


def test_a_rehearsal_that_this_machine_cannot_do_runs_embedded_and_says_what_is_missing(project: Project) -> None:
    project.set(dummy=True, judge__base_url=None)
    said = project.run_ok("validate.py", HF_ENDPOINT="http://127.0.0.1:9")
    assert "warning: missing for your models: vLLM is not installed" in said
    assert "no OPENAI_API_KEY for the judge" in said
    assert len(questions(project)) == 10
    assert resolved(project, "sft")["run"] == "embedded"
    assert resolved(project, "sft")["dummy"] is True


def test_a_rehearsal_that_this_machine_can_do_keeps_to_the_users_world(local: Project) -> None:
    write_questions(local, [{"instruction": f"What is {number}?", "output": "A number."} for number in range(25)])
    local.set(dummy=True)
    local.run_ok("validate.py")
    assert len(questions(local)) == 10
    assert resolved(local, "sft")["run"] == "dummy"
    assert resolved(local, "sft")["id"] == "my-model"


def test_a_rehearsal_tries_the_users_world_first_also_where_the_embedded_one_is_set(local: Project) -> None:
    write_questions(local, [{"instruction": f"What is {number}?", "output": "A number."} for number in range(25)])
    local.set(dummy=True, embedded=True)
    said = local.run_ok("validate.py")
    assert resolved(local, "sft")["run"] == "dummy"
    assert resolved(local, "sft")["id"] == "my-model"
    assert "embedded" not in said


def test_a_rehearsal_falls_back_or_stops_alike_whether_or_not_the_embedded_world_is_set(project: Project) -> None:
    project.set(dummy=True, embedded=True)
    said = project.run_ok("validate.py", HF_ENDPOINT="http://127.0.0.1:9")
    assert "warning: this machine cannot rehearse with your models" in said
    assert "no OPENAI_API_KEY for the judge" in said
    assert resolved(project, "sft")["run"] == "embedded"
    project.set(questions__dataset="nowhere.jsonl")
    assert "there is no such file" in project.error_line("validate.py")


def test_an_embedded_run_begins_and_ends_with_how_to_leave_it(project: Project) -> None:
    project.set(embedded=True)
    first = project.run_ok("validate.py").splitlines()[0]
    last = project.run_ok("publish.py").splitlines()[-1]
    for line in (first, last):
        assert "this is the embedded world" in line
        assert "set `embedded: false` in params.yaml" in line


def test_a_rehearsal_warns_in_its_first_and_last_line_that_it_is_one(local: Project) -> None:
    write_questions(local, [{"instruction": f"What is {number}?", "output": "A number."} for number in range(25)])
    local.set(dummy=True)
    first = local.run_ok("validate.py").splitlines()[0]
    last = local.run_ok("publish.py").splitlines()[-1]
    for line in (first, last):
        assert line.startswith("warning: ") and "this is a rehearsal on the first 10 questions" in line
        assert "for the real run set `dummy: false`" in line


def test_a_real_run_never_falls_back_to_the_embedded_world(project: Project) -> None:
    line = project.error_line("validate.py", HF_ENDPOINT="http://127.0.0.1:9")
    assert "cannot be reached" in line
    assert not (project.root / "data" / "resolved").exists()


def test_local_questions_and_models_need_no_hub(local: Project) -> None:
    said = local.run_ok("validate.py", HF_ENDPOINT="http://127.0.0.1:9")
    assert "a real run" in said
    assert resolved(local, "sft")["sha"] is None
    assert len(resolved(local, "sft")["content"]) == 64
    assert [question["instruction"] for question in questions(local)] == [row["instruction"] for row in QUESTIONS]


def test_a_local_model_is_known_by_its_content(local: Project) -> None:
    local.run_ok("validate.py")
    before = resolved(local, "sft")["content"]
    (local.root / "my-model" / "README.md").write_text("only words")
    local.run_ok("validate.py")
    assert resolved(local, "sft")["content"] == before
    config = json.loads((local.root / "my-model" / "config.json").read_text())
    (local.root / "my-model" / "config.json").write_text(json.dumps(config | {"rope_theta": 5.0}))
    local.run_ok("validate.py")
    assert resolved(local, "sft")["content"] != before


def test_the_same_questions_come_from_json_lines_csv_and_parquet(local: Project) -> None:
    import pyarrow
    import pyarrow.parquet

    with (local.root / "questions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["instruction", "output", "topic"])
        writer.writeheader()
        writer.writerows(QUESTIONS)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(QUESTIONS), local.root / "questions.parquet")
    found = []
    for name in ("questions.jsonl", "questions.csv", "questions.parquet"):
        local.set(questions__dataset=name, questions__tag_columns=["topic"])
        local.run_ok("validate.py")
        found.append(questions(local))
    assert found[0] == found[1] == found[2]
    assert found[0][0]["tags"] == {"topic": "basics"}


def test_ids_stay_when_rows_are_inserted(local: Project) -> None:
    local.run_ok("validate.py")
    before = [question["id"] for question in questions(local)]
    write_questions(local, [QUESTIONS[0], {"instruction": "New?", "output": "Yes."}, QUESTIONS[1]])
    local.run_ok("validate.py")
    after = [question["id"] for question in questions(local)]
    assert [after[0], after[2]] == before


@pytest.mark.parametrize("id_column", [None, "name"])
def test_a_question_that_stands_there_several_times_counts_once(local: Project, id_column: str | None) -> None:
    rows = [*QUESTIONS, QUESTIONS[0] | {"output": "Something else."}, *QUESTIONS * 3]
    write_questions(local, [row | {"name": f"row {number}"} for number, row in enumerate(rows)])
    local.set(questions__id_column=id_column)
    said = local.run_ok("validate.py")
    assert len(questions(local)) == len(QUESTIONS) + 1
    assert f"left out {3 * len(QUESTIONS)} rows that repeat an earlier question and its reference (rows 4, 5, " in said
    local.set(questions__limit=3)
    local.run_ok("validate.py")
    assert len(questions(local)) == 3


def test_different_questions_have_different_ids(local: Project) -> None:
    write_questions(local, [{"instruction": "a", "output": "b"}, {"instruction": "a\nb", "output": None}])
    local.run_ok("validate.py")
    assert len({question["id"] for question in questions(local)}) == 2


def test_a_null_reference_stays_null(local: Project) -> None:
    write_questions(local, [{"instruction": "Why?", "output": None}])
    local.run_ok("validate.py")
    assert questions(local)[0]["reference"] is None


def test_a_rehearsal_finds_bad_settings_also_where_the_machine_lacks_something(local: Project) -> None:
    local.set(dummy=True, judge__base_url=None, questions__instruction_column="prompt")
    assert "no column prompt" in local.error_line("validate.py")


def test_answers_of_a_renamed_model_are_adopted(embedded_project: Project) -> None:
    project = embedded_project
    project.run_ok("generate.py", "sft")
    shutil.rmtree(project.root / ".cache")
    models = project.params()["models"]
    models["sft-2"] = models.pop("sft")
    project.set(models=models)
    assert "adopted 48 results" in project.run_ok("validate.py")
    assert "0 to generate" in project.run_ok("generate.py", "sft-2")


def test_the_embedded_world_ignores_the_users_device(project: Project) -> None:
    project.set(embedded=True, execution__generate__transformers__device="cuda")
    project.run_ok("validate.py")
    assert "48 answers" in project.run_ok("generate.py", "sft")


@pytest.mark.parametrize("script", ["generate.py", "judge.py", "compare.py"])
def test_a_stage_names_a_model_that_it_does_not_know_or_that_changed(script: str, embedded_project: Project) -> None:
    for name in ("nobody", "judge", "../../etc/passwd"):
        assert "params.yaml has no such model" in embedded_project.error_line(script, name)
    embedded_project.set(embedded=False)
    for path in (embedded_project.root / "data" / "resolved").glob("*.json"):
        path.write_text(path.read_text().replace('"run": "embedded"', '"run": "real"'))
    assert "its engine was embedded when it was validated" in embedded_project.error_line(script, "sft")


Break = Callable[[Project], object]


def model_file(name: str, text: str | None) -> Break:
    def change(project: Project) -> None:
        path = project.root / "my-model" / name
        path.unlink() if text is None else path.write_text(text)

    return change


LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 16000000\n"


def edit_config(**values: Any) -> Break:
    def change(project: Project) -> None:
        path = project.root / "my-model" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


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


def served(**settings: Any) -> Break:
    model = {"id": "hosted", "engine": "endpoint", "base_url": "http://localhost:9/v1", **settings}
    return lambda project: project.set(models__sft=model)


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


def test_disagreeing_ends_of_text_are_said_and_do_not_stop(local: Project) -> None:
    edit_config(eos_token_id=7)(local)
    (local.root / "my-model" / "generation_config.json").unlink()
    assert "warning: model sft (my-model): its tokenizer ends texts with" in local.run_ok("validate.py")


def test_what_a_removed_model_left_behind_goes(embedded_project: Project) -> None:
    project = embedded_project
    for name in ("sft", "dpo"):
        project.run_ok("generate.py", name)
    params = project.params()
    del params["models"]["dpo"]
    project.set(models=params["models"])
    assert "removed data/answers/dpo.jsonl" in project.run_ok("validate.py")
    assert not [path for path in (project.root / "data").rglob("dpo*") if "embedded" not in path.parts]
    assert (project.root / "data" / "answers" / "sft.jsonl").is_file()


def test_pulled_answers_are_adopted_and_not_generated_again(embedded_project: Project) -> None:
    project = embedded_project
    project.run_ok("generate.py", "sft")
    answers = (project.root / "data" / "answers" / "sft.jsonl").read_bytes()
    shutil.rmtree(project.root / ".cache")
    assert "adopted 48 results" in project.run_ok("validate.py")
    said = project.run_ok("generate.py", "sft")
    assert "48 answers are in the ledger, 0 to generate" in said
    assert (project.root / "data" / "answers" / "sft.jsonl").read_bytes() == answers


def test_a_served_model_without_its_key_is_told_before_anything_is_generated(local: Project) -> None:
    served()(local)
    local.set(execution__generate__models={"sft": {"key_variable": "NOPE"}})
    assert "generate will stop unless every answer is there already: there is no NOPE" in local.run_ok("validate.py")
    assert "no NOPE" not in local.run_ok("validate.py", NOPE="sk-planted")


def test_a_broken_file_of_answers_is_passed_over(embedded_project: Project) -> None:
    answers = embedded_project.root / "data" / "answers"
    answers.mkdir()
    (answers / "sft.jsonl").write_text("{}\n")
    (answers / "dpo.jsonl").mkdir()
    said = embedded_project.run_ok("validate.py")
    assert "sft.jsonl, line 1: this is no answer" in said
    assert "dpo.jsonl: it cannot be read" in said


def test_a_second_validate_changes_nothing(embedded_project: Project) -> None:
    before = embedded_project.files()
    embedded_project.run_ok("validate.py")
    assert embedded_project.files() == before


def test_help_says_what_is_read_and_written(project: Project) -> None:
    for script in sorted(path.name for path in (ROOT / "scripts").glob("*.py")):
        done = project.run(script, "--help")
        assert done.returncode == 0, done.stderr
        assert "Reads " in done.stdout, script
        assert "Writes " in done.stdout, script
        assert f"python scripts/{script}" in done.stdout, script


def test_secrets_of_the_environment_file_are_honoured_and_never_written(local: Project) -> None:
    secret = "sk-planted-0123456789"
    (local.root / ".env").write_text(f"OPENAI_API_KEY={secret}\nHF_TOKEN=hf_planted0123456789\n")
    local.set(judge__base_url=None)
    said = local.run_ok("validate.py")
    assert "no OPENAI_API_KEY" not in said
    written = b"".join(content for path, content in local.files().items() if path != ".env")
    written += b"".join(path.read_bytes() for path in (local.root / ".cache").rglob("*") if path.is_file())
    assert secret.encode() not in written
    assert b"hf_planted" not in written
    assert "planted" not in said


def test_a_script_outside_a_project_says_where_to_run_it(tmp_path: Path, project: Project) -> None:
    (project.root / "params.yaml").unlink()
    assert "run this in the project's root" in project.error_line("validate.py")


CHATS = [
    {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}, *more], "topic": "t"}
    for text, more in [("Is it?", []), ("Is it so?", [{"role": "user", "content": "And why?"}])]
]


def test_conversations_are_refused_where_a_model_is_asked_in_alpaca_s_format(local: Project) -> None:
    write_questions(local, CHATS)
    local.set(questions__messages_column="messages", questions__reference_column=None)
    line = local.error_line("validate.py")
    assert line.startswith("error: model sft: `prompt: alpaca` takes one turn only, and 1 questions have several")
    local.set(models__sft__prompt="chat")
    local.run_ok("validate.py")
    plain, talk = questions(local)
    assert list(plain) == ["id", "instruction", "reference", "tags"]
    assert list(talk) == ["id", "instruction", "reference", "tags", "history", "turns", "references"]
    assert (talk["instruction"], talk["turns"], talk["references"]) == ("And why?", ["And why?"], [None])


def test_a_system_message_of_a_question_beside_one_of_a_model_is_refused(local: Project) -> None:
    system = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it?"}]}
    write_questions(local, [system])
    local.set(questions__messages_column="messages", questions__reference_column=None)
    local.set(models__sft__prompt="chat", models__sft__system="Be kind.")
    assert "model sft: 1 questions have a system message, and the model's `system` is" in local.error_line(
        "validate.py"
    )


def test_messages_without_a_conversation_among_them_are_the_same_questions(local: Project) -> None:
    write_questions(local, [{"instruction": "Is it?", "output": "Yes."}])
    local.run_ok("validate.py")
    before = (local.root / "data" / "questions.jsonl").read_bytes()
    write_questions(local, CHATS[:1])
    local.set(questions__messages_column="messages", questions__reference_column=None)
    assert "column messages: OpenAI's messages, 1 of 1 turn" in local.run_ok("validate.py")
    assert (local.root / "data" / "questions.jsonl").read_bytes() == before
