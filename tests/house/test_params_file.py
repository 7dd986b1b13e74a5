"""params.yaml stands in the form that DVC gives it, so that an experiment changes one line of it and no other."""

from pathlib import Path

import pytest
from dvc.utils.serialize import modify_yaml

from tests.own_settings import shipped
from tuneproof.settings.reading import load_params


@pytest.mark.parametrize(
    ("section", "setting", "value"),
    [(None, "dummy", True), ("judge", "samples", 3), ("decision", "alpha", 0.1), ("publish", "workspace", "you")],
)
def test_a_setting_that_dvc_changes_changes_one_line(
    tmp_path: Path, section: str | None, setting: str, value: object
) -> None:
    path = tmp_path / "params.yaml"
    text = shipped("params.yaml")
    path.write_text(text)
    with modify_yaml(str(path)) as params:
        (params[section] if section else params)[setting] = value
    before, after = text.splitlines(), path.read_text().splitlines()
    assert len(before) == len(after), (
        "run `python -m tests.house.settings_tables`, and put long texts into a block (>-)"
    )
    changed = [old.strip() for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    assert changed[0].startswith(f"{setting}:")


def test_what_an_empty_value_means_is_null(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(shipped("params.yaml"))
    assert load_params(path).publish.workspace is None
