"""params.yaml stands in the form that DVC gives it, so that an experiment changes one line of it and no other."""

from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from tests.own_settings import shipped
from tuneproof.settings.reading import load_params


@pytest.mark.parametrize(
    "override", ["dummy=true", "judge.samples=3", "decision.alpha=0.1", "publish.workspace=you", "gate.max_drop=0.2"]
)
def test_a_setting_of_an_experiment_changes_one_line(tmp_path: Path, override: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(shipped("params.yaml"))
    before = path.read_text().splitlines()
    apply_overrides(path, [override])
    after = path.read_text().splitlines()
    remedy = "run `python -m tests.house.settings_tables`, and put long texts into a block (>-)"
    assert len(before) == len(after), remedy
    changed = [old.strip() for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1, remedy
    name = override.partition("=")[0].rpartition(".")[2]
    assert changed[0].startswith(f"{name}:")


def test_what_an_empty_value_means_is_null(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(shipped("params.yaml"))
    assert load_params(path).publish.workspace is None
