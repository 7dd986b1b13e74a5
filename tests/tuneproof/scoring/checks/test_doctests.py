import doctest
import importlib.util
import pkgutil

import pytest

import tuneproof.scoring.checks
from tests.conftest import ROOT

MODULES = [module.name for module in pkgutil.iter_modules(tuneproof.scoring.checks.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_every_check_says_what_its_documentation_shows(name: str) -> None:
    module = importlib.import_module(f"tuneproof.scoring.checks.{name}")
    assert doctest.testmod(module).failed == 0


def test_the_example_of_a_function_says_what_its_documentation_shows() -> None:
    spec = importlib.util.spec_from_file_location("citations", ROOT / "checks" / "citations.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert doctest.testmod(module).failed == 0
