"""What the tests of several scripts start from."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.made_up.committed_run import commit_run, start_project
from tests.made_up.local_world import local_world


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project with one finished, committed run."""
    project = tmp_path_factory.mktemp("gate") / "project"
    start_project(project)
    commit_run(project, "the first run")
    return project


@pytest.fixture
def committed(first_run: Path, tmp_path: Path) -> Path:
    """A copy of that project, to change."""
    return Path(shutil.copytree(first_run, tmp_path / "project", symlinks=True))


@pytest.fixture
def local(project: Project) -> Project:
    """A real world made of local files: a question file, two model folders, a judge at a private address."""
    return local_world(project)
