"""What an evaluator is trained from is known by its content before anything is trained."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.own_settings import OWN
from tuneproof.common.errors import UserError
from tuneproof.inputs.evaluator import resolve_evaluator
from tuneproof.settings.params import Params
from tuneproof.sources.hub.pins import Pins


def params(**evaluator: object) -> Params:
    """The tests' settings with a section evaluator."""
    return Params.model_validate(OWN | {"evaluator": {"criteria": {"accuracy": {}}} | evaluator})


def test_without_a_criterion_nothing_is_looked_for() -> None:
    assert resolve_evaluator(params(criteria={}, base="no/where"), "real", Pins()) is None


def test_a_file_of_labels_is_known_by_its_content(in_project: Project) -> None:
    (in_project.root / "labels.csv").write_text("output,label\na,1\n")
    found = resolve_evaluator(params(data="labels.csv"), "real", Pins())
    assert found is not None
    assert found.data == hashlib.sha256(b"output,label\na,1\n").hexdigest()
    assert (found.id, found.sha, found.content) == ("embedded", None, None)


@pytest.mark.usefixtures("in_project")
def test_a_missing_file_of_labels_is_one_clear_line() -> None:
    with pytest.raises(UserError, match=r"evaluator\.data: there is no file labels\.csv; correct the path"):
        resolve_evaluator(params(data="labels.csv"), "real", Pins())


def encoder(folder: Path, weights: str = "model.safetensors", **config: object) -> None:
    """A folder that looks like an encoder's."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertModel"]} | config))
    header = b"{}"
    (folder / weights).write_bytes(len(header).to_bytes(8, "little") + header)


def test_a_folder_is_a_base(in_project: Project) -> None:
    encoder(in_project.root / "base")
    found = resolve_evaluator(params(base="base"), "real", Pins())
    assert found is not None
    assert (found.id, found.sha) == ("base", None)
    assert found.content


def test_a_base_with_code_of_its_own_is_refused(in_project: Project) -> None:
    encoder(in_project.root / "base", auto_map={"AutoModel": "evil.Model"})
    with pytest.raises(UserError, match="it needs code of its own"):
        resolve_evaluator(params(base="base"), "real", Pins())


def test_a_base_of_pickles_is_refused(in_project: Project) -> None:
    encoder(in_project.root / "base", weights="pytorch_model.bin")
    with pytest.raises(UserError, match="its weights are pickles"):
        resolve_evaluator(params(base="base"), "real", Pins())
