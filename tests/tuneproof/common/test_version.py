import tomllib

from tests.conftest import ROOT
from tuneproof.common.version import VERSION


def test_the_version_that_pages_name_is_the_projects() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"] == VERSION
