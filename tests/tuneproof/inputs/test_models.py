"""What the settings mean, found on a local Hub; what stays known where the Hub is out of reach; no foreign code."""

import ast
import io
import json
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub import close_session, constants

import validate
from tests.conftest import ROOT, Project
from tests.servers.hub.client import use_hub
from tests.servers.hub.server import HubServer, running_hub
from tuneproof.common.errors import OutOfReachError, UserError
from tuneproof.generation.weights.tokens import load_tokenizer
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params
from tuneproof.sources.hub.pins import Pins

CHECKPOINT = {path.name: path.read_bytes() for path in (ROOT / "data" / "embedded" / "models" / "sft").iterdir()}
TENSOR = b'{"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": '
TENSOR += b'{"dtype": "F16", "shape": [4, 128], "data_offsets": [0, 1024]}}'
ADAPTER = {
    "adapter_config.json": b'{"peft_type": "LORA", "r": 4, "base_model_name_or_path": "team/base"}',
    "adapter_model.safetensors": struct.pack("<Q", len(TENSOR)) + TENSOR + bytes(1024),
}


def parquet(*instructions: str) -> bytes:
    buffer = io.BytesIO()
    rows = [{"instruction": text, "output": "An answer."} for text in instructions]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


@pytest.fixture
def server(in_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub with the models and questions that the project's settings name."""
    in_project.set(
        questions__dataset="team/data",
        generate__engine="transformers",
        judge__base_url="http://localhost:9/v1",
        models={
            "sft": {"id": "team/gone", "fallback": "team/sft", "prompt": "alpaca"},
            "baseline": {"id": "team/base", "prompt": "alpaca", "engine": "vllm", "adapter": "team/adapter"},
        },
    )
    with running_hub() as running:
        use_hub(running, monkeypatch, tmp_path / "home")
        for name in ("team/sft", "team/base"):
            running.hub.add("model", name, CHECKPOINT)
        running.hub.add("model", "team/adapter", ADAPTER)
        running.hub.add("dataset", "team/data", {"test.parquet": parquet("What is a token?", "What is an epoch?")})
        yield running
        close_session()


def validated() -> dict[Path, str]:
    """Resolves the world and writes its files, as validate does."""
    pins = Pins.load()
    _, files = validate.resolve_a_world(load_params(), pins)
    validate.write_files(files)
    pins.save()
    return files


@pytest.fixture
def laptop(server: HubServer, in_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Path, str]:
    """A validated workspace on a machine that has neither the Hub nor its files; gives the workspace's files."""
    files = validated()
    shutil.rmtree(tmp_path / "home")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return files


def resolve_again(params: Params | None = None) -> dict[Path, str]:
    return validate.resolve_a_world(params or load_params(), Pins.load())[1]


def test_a_pulled_workspace_stays_as_it_is_without_the_hub_and_its_files(
    laptop: dict[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert resolve_again() == laptop
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 3
    for line, where in zip(warnings, ("dataset team/data", "model team/gone", "model team/base"), strict=True):
        assert line.startswith(f"warning: {where}: HF_HUB_OFFLINE forbids asking the Hub")
        assert line.endswith("what an earlier validate made of the same settings and pin is kept")


Change = Callable[[Project], object]


def edit(name: str, **values: Any) -> Change:
    def change(project: Project) -> None:
        path = project.root / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def move_pins(kind: str, repository: str) -> Change:
    def change(project: Project) -> None:
        path = project.root / "data" / "pins.json"
        pins = json.loads(path.read_text())
        pins[kind][f"{repository}@main"]["sha"] = "f" * 40
        path.write_text(json.dumps(pins))

    return change


def delete(name: str) -> Change:
    return lambda project: (project.root / name).unlink()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda project: project.set(questions__limit=1), "dataset team/data"),
        (lambda project: project.set(questions__revision="v2"), "dataset team/data"),
        (lambda project: project.set(questions__split="train"), "dataset team/data"),
        (lambda project: (project.root / "data/questions.jsonl").write_text("{}\n"), "dataset team/data"),
        (delete("data/questions.jsonl"), "dataset team/data"),
        (delete("data/resolved/questions.json"), "dataset team/data"),
        (move_pins("datasets", "team/data"), "dataset team/data"),
        (edit("data/resolved/questions.json", run="dummy"), "dataset team/data"),
        (lambda project: project.set(models__sft__id="team/other"), "model team/other"),
        (lambda project: project.set(models__sft__fallback="team/base"), "model team/gone"),
        (lambda project: project.set(models__sft__prompt="chat"), "model team/gone"),
        (lambda project: project.set(models__baseline__adapter="team/other"), "model team/base"),
        (lambda project: project.set(models__baseline__revision="v2"), "model team/base"),
        (lambda project: project.set(models__baseline__adapter_revision="v2"), "model team/base"),
        (move_pins("models", "team/sft"), "model team/gone"),
        (move_pins("models", "team/adapter"), "model team/base"),
        (delete("data/resolved/baseline.json"), "model team/base"),
        (lambda project: (project.root / "data/resolved/sft.json").write_text("{"), "model team/gone"),
    ],
)
def test_what_was_made_of_other_settings_or_another_pin_is_not_kept(
    change: Change, where: str, laptop: dict[Path, str], in_project: Project
) -> None:
    change(in_project)
    with pytest.raises(OutOfReachError, match=f"{where}: HF_HUB_OFFLINE forbids asking the Hub, and it is not in"):
        resolve_again()


def test_a_refusal_is_no_reason_to_keep_anything(
    laptop: dict[Path, str], server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    server.hub.repositories["model", "team/base"].gated = True
    with pytest.raises(UserError, match="model team/base: it is gated"):
        resolve_again()


# --- What the headers of weights say, without downloading a weight ---


def test_validate_reads_headers_on_the_hub_and_downloads_no_weight(server: HubServer, tmp_path: Path) -> None:
    validated()
    assert [request for request in server.requests if "model.safetensors" in request.path]
    assert not list((tmp_path / "home").rglob("*.safetensors"))


@pytest.mark.parametrize(("name", "length", "words"), [
    ("team/base", 1_000_000, r"model baseline \(team/base\): its model.safetensors is cut or spoilt: it has 1,000,"),
    ("team/base", 3, r"model baseline \(team/base\): its model.safetensors cannot be read"),
    ("team/sft", 4000, r"model sft \(team/sft\): its model.safetensors cannot be read"),
])  # fmt: skip
def test_cut_weights_on_the_hub_are_told_before_anything_is_written(
    server: HubServer, in_project: Project, name: str, length: int, words: str
) -> None:
    server.hub.add("model", name, CHECKPOINT | {"model.safetensors": CHECKPOINT["model.safetensors"][:length]})
    before = in_project.files()
    with pytest.raises(UserError, match=words):
        validated()
    assert in_project.files() == before


@pytest.mark.parametrize(("places", "words"), [
    ({"a": "model.safetensors"}, r"says that a is in model\.safetensors, and it is not"),
    ({"model.norm.weight": "model-00002-of-00002.safetensors"}, r"its model-00002-of-00002\.safetensors is missing"),
])  # fmt: skip
def test_an_index_on_the_hub_that_does_not_fit_its_files_is_told(
    server: HubServer, places: dict[str, str], words: str
) -> None:
    index = json.dumps({"weight_map": places}).encode()
    server.hub.add("model", "team/base", CHECKPOINT | {"model.safetensors.index.json": index})
    with pytest.raises(UserError, match=words):
        validated()


def test_a_vocabulary_that_does_not_fit_the_weights_on_the_hub_is_told(server: HubServer) -> None:
    config = json.loads(CHECKPOINT["config.json"]) | {"vocab_size": 1025}
    server.hub.add("model", "team/base", CHECKPOINT | {"config.json": json.dumps(config).encode()})
    with pytest.raises(UserError, match="says vocab_size 1025, and its embedding has 1024 rows"):
        validated()


def test_an_adapter_that_vllm_does_not_load_is_told(server: HubServer) -> None:
    config = json.loads(ADAPTER["adapter_config.json"]) | {"use_dora": True}
    server.hub.add("model", "team/adapter", ADAPTER | {"adapter_config.json": json.dumps(config).encode()})
    with pytest.raises(UserError, match=r"adapter of baseline \(team/adapter\): it is an adapter with DoRA"):
        validated()


def test_an_adapter_of_another_width_is_told_by_validate(server: HubServer) -> None:
    wide = ADAPTER["adapter_model.safetensors"].replace(b"[4, 128]", b"[8,  64]")
    server.hub.add("model", "team/adapter", ADAPTER | {"adapter_model.safetensors": wide})
    with pytest.raises(UserError, match="its adapter does not fit the model"):
        validated()


def test_a_stop_string_around_a_special_token_is_told_by_validate(server: HubServer, in_project: Project) -> None:
    in_project.set(models__baseline__stop=["</s>\n\n"])
    with pytest.raises(UserError, match="which no text shows; write that token alone in `stop`"):
        validated()


# --- Foreign code ---


def test_pickled_weights_on_the_hub_are_refused_before_they_are_downloaded(
    server: HubServer, in_project: Project
) -> None:
    small = {name: content for name, content in CHECKPOINT.items() if name != "model.safetensors"}
    server.hub.add("model", "team/base", small | {"pytorch_model.bin": b"a pickle"})
    before = in_project.files()
    with pytest.raises(UserError, match=r"its weights are pickles \(pytorch_model.bin\); save the model with safe"):
        validated()
    assert in_project.files() == before
    assert not [request for request in server.requests if "pytorch_model.bin" in request.path]


def test_a_model_of_the_hub_that_needs_code_of_its_own_is_refused(server: HubServer, in_project: Project) -> None:
    config = json.loads(CHECKPOINT["config.json"]) | {"auto_map": {"AutoModel": "evil.Model"}}
    server.hub.add("model", "team/base", CHECKPOINT | {"config.json": json.dumps(config).encode()})
    with pytest.raises(UserError, match="it needs code of its own"):
        validated()


def test_a_tokenizer_that_brings_code_does_not_run_it(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name, content in CHECKPOINT.items():
        (tmp_path / name).write_bytes(content)
    settings = json.loads(CHECKPOINT["tokenizer_config.json"])
    settings |= {"tokenizer_class": "EvilTokenizer", "auto_map": {"AutoTokenizer": ["evil.EvilTokenizer", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass EvilTokenizer: pass\n")
    try:
        load_tokenizer(tmp_path)
    except UserError as error:
        assert "its tokenizer does not load" in str(error)
    assert not ran.exists()


def test_foreign_code_is_allowed_nowhere() -> None:
    loads = 0
    for path in sorted((ROOT / "scripts").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_pretrained":
                values = [word.value for word in node.keywords if word.arg == "trust_remote_code"]
                assert [ast.literal_eval(value) for value in values] == [False], path
                loads += 1
            elif isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                assert ast.literal_eval(node.value) is False, path
            elif isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "trust_remote_code":
                        assert ast.literal_eval(value) in (False, None), path  # None: refused in params.yaml
    assert loads >= 2


SERVED = {"engine": "endpoint", "id": "small", "base_url": "http://localhost:9/v1", "tokenizer": "team/base"}


def test_a_served_models_tokenizer_is_pinned_and_comes_without_weights(
    server: HubServer, in_project: Project, tmp_path: Path
) -> None:
    in_project.set(models={"baseline": SERVED})
    document = json.loads(next(text for path, text in validated().items() if path.name == "baseline.json"))
    pin = json.loads((in_project.root / "data" / "pins.json").read_text())["models"]["team/base@main"]
    assert document["tokenizer"] == {"id": "team/base"} | pin
    assert document["sha"] is None and document["id"] == "small"
    assert not list((tmp_path / "home").rglob("*.safetensors"))


def test_a_served_models_tokenizer_stays_known_without_the_hub(
    server: HubServer, in_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_project.set(models={"baseline": SERVED})
    files = validated()
    shutil.rmtree(tmp_path / "home")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert resolve_again() == files
    in_project.set(models={"baseline": SERVED | {"id": "another"}})
    with pytest.raises(OutOfReachError):
        resolve_again()
