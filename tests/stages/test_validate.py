"""validate settles the world: embedded, rehearsed or real, its models and its judge; what is left over goes."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Project
from tests.made_up.local_world import QUESTIONS, edit_config, questions, resolved, served, write_questions
from tests.running import run_apart, run_here


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


def copied_by_dvc(project: Project, folder: Path) -> Path:
    """A copy for one rehearsal, as `dvc exp run --temp --set-param dummy=true` makes it: params.yaml stays as it is."""
    copy = Path(shutil.copytree(project.root, folder / "copy"))
    params = project.params() | {"dummy": True}
    (copy / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return copy


def test_a_rehearsal_that_only_this_run_was_asked_for_says_so_and_sends_nobody_to_params(
    local: Project, tmp_path: Path
) -> None:
    write_questions(local, [{"instruction": f"What is {number}?", "output": "A number."} for number in range(25)])
    told = "this is a rehearsal on the first 10 questions, which was asked of this run only"
    copy = copied_by_dvc(local, tmp_path)
    for script, place in (("validate.py", 0), ("publish.py", -1)):
        said = run_here(copy, script, DVC_ROOT=str(local.root), DVC_EXP_NAME="rehearsal").stderr.splitlines()
        assert said[place] == f"{script.removesuffix('.py')}: {told}; the real run is `dvc repro`"
        assert not any("dummy" in line for line in said)
        (local.root / "params.yaml").write_text("embedded: [")  # it is being edited meanwhile


def test_a_rehearsal_by_params_is_one_in_a_copy_too(local: Project, tmp_path: Path) -> None:
    local.set(dummy=True)
    copy = copied_by_dvc(local, tmp_path)
    said = run_here(copy, "validate.py", DVC_ROOT=str(local.root), DVC_EXP_NAME="queued").stderr.splitlines()
    assert said[0].startswith("warning: ") and "because `dummy: true` stands in params.yaml" in said[0]


def test_a_rehearsal_that_ran_embedded_gives_no_advice_on_params_that_say_false(
    project: Project, tmp_path: Path
) -> None:
    copy = copied_by_dvc(project, tmp_path)
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "DVC_ROOT": str(project.root), "DVC_EXP_NAME": "rehearsal"}
    for script in ("validate.py", "publish.py"):
        done = run_apart(copy, script, **environment)
        assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("publish: this rehearsal ran on the embedded small models")
    assert last.endswith("this machine lacks what your models need; validate named it")


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
