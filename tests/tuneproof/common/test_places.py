from pathlib import Path

import pytest

from tests.conftest import ROOT
from tuneproof.common.errors import UserError
from tuneproof.common.places import SCRIPTS, local_path, project_root


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_the_projects_root_is_what_dvc_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    assert project_root() == Path("/elsewhere")


def test_in_a_monorepo_the_projects_root_is_its_folder_and_not_gits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / ".git")
    deep = folder(tmp_path / "projects" / "tuned" / "data" / "answers")
    (tmp_path / "projects" / "tuned" / "dvc.yaml").touch()
    monkeypatch.chdir(deep)
    assert project_root() == tmp_path / "projects" / "tuned"


@pytest.mark.parametrize("worktree", [False, True])
def test_without_a_pipeline_the_root_is_gits(worktree: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").touch() if worktree else folder(tmp_path / ".git")
    monkeypatch.chdir(folder(tmp_path / "a" / "b"))
    assert project_root() == tmp_path


def test_without_any_mark_the_root_is_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert project_root() == tmp_path


def test_the_scripts_are_found_wherever_this_module_lies_among_them() -> None:
    assert ROOT / "scripts" == SCRIPTS


def test_a_relative_path_is_looked_for_here_and_then_in_the_projects_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, root = tmp_path / "copy", tmp_path / "root"
    (root / "models").mkdir(parents=True)
    copy.mkdir()
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(root))
    assert local_path("models") == root / "models"
    (copy / "models").mkdir()
    assert local_path("models").resolve() == copy / "models"


def test_a_path_that_is_too_long_is_one_line() -> None:
    with pytest.raises(UserError, match="this cannot be looked for"):
        local_path("m" * 300)
