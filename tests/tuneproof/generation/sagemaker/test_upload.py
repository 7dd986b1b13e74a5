from pathlib import Path
from typing import Any

import pytest

from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS, Workspace, make_workspace, rendered
from tuneproof.common.errors import UserError
from tuneproof.generation.engines import transformers, vllm
from tuneproof.generation.jobs import Job, Request
from tuneproof.generation.sagemaker.upload import container_id, in_container, local_folders, project_files
from tuneproof.records.documents.resolved import ResolvedAdapter, ResolvedModel
from tuneproof.records.files import rows_text
from tuneproof.records.rows import Question
from tuneproof.settings.params import GenerationParams
from tuneproof.settings.reading import load_params, load_sections
from tuneproof.settings.worlds import embedded_params

SHA = "0" * 40


def packaged(workspace: Workspace, job: Job, requests: list[Request]) -> dict[str, str | Path]:
    return project_files(job, workspace.settings, workspace.questions, requests)


def unpacked(files: dict[str, str | Path], root: Path) -> Path:
    """The project folder as the job finds it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content.read_bytes())
    return root


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "engine": "vllm",
            "vllm": {"max_model_len": 300, "engine_args": {"kv_cache_dtype": "fp8"}},
            "execution": {"vllm": {"max_num_seqs": 3, "enforce_eager": True}},
        },
        {"system": "Be kind.", "stop": ["###", "\n\n"], "sampling": {"samples": 3, "temperature": 0.0}},
        {"prompt": "alpaca", "transformers": {"dtype": "float32"}},
    ],
)
def test_the_job_renders_the_same_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    workspace = make_workspace(tmp_path / "workspace", **settings)
    engine = vllm if settings.get("engine") == "vllm" else transformers
    job = workspace.job()
    requests = rendered(engine, job, workspace.questions)
    root = unpacked(packaged(workspace, job, requests), tmp_path / "input" / "project")
    (tmp_path / "input" / "model").symlink_to(SMALL_MODELS / "sft")
    monkeypatch.chdir(root)
    params = load_sections(GenerationParams)
    there = Job(
        ResolvedModel.model_validate_json((root / "data/resolved/sft.json").read_bytes()),
        params.models["sft"], params.generation("sft"),
        params.execution.generate.of_model("sft"),
    )  # fmt: skip
    assert params.execution.generate.run_on == "local"
    assert there.execution == job.execution
    assert [request.key for request in rendered(engine, there, workspace.questions)] == [one.key for one in requests]


def test_the_jobs_settings_say_nothing_of_a_judge_and_keep_texts_that_look_like_numbers(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace", system="1e5", stop=["0o17", "on"])
    root = unpacked(project_files(workspace.job(), workspace.settings, [], []), tmp_path / "project")
    text = (root / "params.yaml").read_text()
    assert "judge" not in text
    assert "compare" not in text
    there = load_sections(GenerationParams, root / "params.yaml").models["sft"]
    assert (there.system, there.stop) == ("1e5", ("0o17", "on"))
    with pytest.raises(UserError, match=r"judge: field required"):
        load_params(root / "params.yaml")


def test_only_questions_with_an_open_row_go_up_and_without_their_references(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    asked = [Question(id=str(number), instruction="Why?", reference="So.", tags={"a": "b"}) for number in range(4)]
    job = workspace.job()
    requests = rendered(transformers, job, asked)
    files = project_files(job, workspace.settings, asked, requests[1:3])
    expected = [Question(id=str(number), instruction="Why?", reference=None) for number in (1, 2)]
    assert files["data/questions.jsonl"] == rows_text(expected)
    assert str(files["open.jsonl"]).count("\n") == 2


def test_the_embedded_world_is_packaged_too(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    params = embedded_params(workspace.settings)
    resolved = workspace.resolve(run="embedded", embedded=True)
    execution = params.execution.generate.of_model("sft")
    job = Job(resolved, params.models["sft"], params.generation("sft"), execution)
    root = unpacked(project_files(job, params, workspace.questions, []), tmp_path / "project")
    again = embedded_params(load_sections(GenerationParams, root / "params.yaml"))
    assert again.generation("sft") == params.generation("sft")


def resolved_model(**changes: Any) -> ResolvedModel:
    return ResolvedModel(
        model="sft", run="real", dummy=False, embedded=False, engine="vllm", prompt="chat", requested="a/b", id="a/b",
        sha=SHA, content="content",
    ).model_copy(update=changes)  # fmt: skip


def test_models_of_the_hub_are_fetched_by_the_job_and_local_ones_go_up() -> None:
    folder = str(SMALL_MODELS / "sft")
    assert in_container(resolved_model()) == resolved_model()
    assert local_folders(resolved_model()) == {}
    local = resolved_model(id=folder, sha=None, adapter=ResolvedAdapter(id="a/lora", sha=SHA, content="c"))
    assert in_container(local) == local.model_copy(update={"id": "../model", "requested": "../model"})
    assert set(local_folders(local)) == {"model"}
    assert "model.safetensors" in local_folders(local)["model"]
    assert "README.md" not in local_folders(local)["model"]


def test_a_local_adapter_goes_up_beside_a_model_of_the_hub() -> None:
    adapter = ResolvedAdapter(id=str(SMALL_MODELS / "sft"), sha=None, content="c")
    assert set(local_folders(resolved_model(adapter=adapter))) == {"adapter"}
    assert container_id("adapter", adapter) == "../adapter"
