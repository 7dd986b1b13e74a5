"""A run after aggregate, to read and to change."""

import shutil
from pathlib import Path

import pytest

from tests.aggregate.runs import SHAPE, aggregate
from tests.synthetic_run import write_run


@pytest.fixture(scope="session")
def aggregated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up run after aggregate."""
    directory = tmp_path_factory.mktemp("aggregate") / "run"
    write_run(directory, SHAPE)
    aggregate(directory)
    return directory


@pytest.fixture
def directory(aggregated: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(aggregated, tmp_path / "run"))
