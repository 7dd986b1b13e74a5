"""What tests share: a project folder to work in, and stage scripts run as a person runs them."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, settings

from tests.own_settings import own_settings
from tests.processes import ending_processes
from tests.running import Done, run_apart, run_here

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.made_up.finished_run import FinishedRun
    from tests.servers.hub.server import HubServer

ROOT = Path(__file__).parent.parent
NO_PINS = json.dumps({"datasets": {}, "models": {}}, indent=2) + "\n"
# A loaded machine is slow, not wrong.
settings.register_profile("on any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("on any machine")
# A shell starts what it runs in the background deaf to Ctrl-C, and processes hand that on to those they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# `make test` hands these on, and a make that a test starts would take itself for a part of that one and say so.
for handed_on in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(handed_on, None)

SECRET_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "DVC_ROOT")


# Measured. A file stays with one worker: one of these begun last would run alone at the end, all others waiting.
LONGEST_FILES = (
    "test_pipeline.py", "test_vllm.py", "test_ray.py", "test_benchmark_engines.py", "test_ray_vllm.py",
    "test_generate.py", "test_sagemaker.py", "test_hub_pipeline.py", "test_documented_commands.py",
    "test_sagemaker_pipeline.py", "test_first_run.py", "test_commands_on_a_run.py", "test_admission.py",
    "test_real_judge.py", "test_embedded.py", "test_report_in_browser.py", "test_transformers.py", "test_gate.py",
)  # fmt: skip


# Files whose tests load the same heavy libraries stay with one worker too: PyTorch and AWS's, vLLM, a harness, what
# checks compare texts with. In every worker they would take half a minute of processor time.
TOGETHER = (
    (
        "tests/stages/test_generate", "tests/tuneproof/generation/", "tests/tuneproof/scoring/evaluator/encoder/",
        "tests/pipeline/test_embedded_models", "tests/servers/aws/",
    ),
    ("tests/pipeline/test_vllm.py", "tests/pipeline/test_real_judge.py"),
    ("tests/stages/test_benchmark", "tests/tuneproof/scoring/benchmarks/"),
    ("tests/stages/test_check", "tests/tuneproof/scoring/checks/"),
)  # fmt: skip


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives each worker whole files, or all files that belong together."""
    from xdist.scheduler import LoadFileScheduling

    if config.getvalue("dist") != "loadfile":
        return None
    scheduler = LoadFileScheduling(config, log)

    def place(test: str) -> str:
        return next((group[0] for group in TOGETHER if test.startswith(group)), test.partition("::")[0])

    scheduler._split_scope = place
    return scheduler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, then the other ones with whole pipelines and real engines."""
    order = {name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: (order.get(item.path.name, len(order)), item.path.parent.name != "pipeline"))


@pytest.fixture(autouse=True)
def no_secrets_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no key and no project but their own."""
    for name in SECRET_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_process_outlives_its_test() -> Iterator[None]:
    """What a test that failed was waiting for is ended."""
    with ending_processes():
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """One headless Chromium for all tests of a file."""
    from tests.browser import chromium

    with chromium() as started:
        yield started


class Project:
    """A project folder: the tests' own params.yaml, data/embedded and the scripts of the repository, and nothing else.

    No test may depend on the settings, ledger or results of the folder that it is run in.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "params.yaml").write_text(yaml.safe_dump(own_settings(), sort_keys=False))
        (root / "data").mkdir()
        shutil.copytree(ROOT / "data" / "embedded", root / "data" / "embedded")
        (root / "data" / "pins.json").write_text(NO_PINS)

    def params(self) -> dict[str, Any]:
        """The settings as plain data."""
        values: dict[str, Any] = yaml.safe_load((self.root / "params.yaml").read_text())
        return values

    def set(self, **values: Any) -> None:
        """Changes settings, named with __ between section and setting; a whole section may be given too."""
        params = self.params()
        for name, value in values.items():
            place, *path = name.split("__")
            section = params
            for part in path:
                section, place = section[place], part
            section[place] = value
        (self.root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def run(self, script: str, *arguments: str, **environment: str) -> Done:
        """Runs a stage script by hand in the project's root: within the test's process.

        Where its environment must be there before a library is loaded (HF_*), in a process of its own.
        """
        own_process = any(name.startswith("HF_") for name in environment)
        return (run_apart if own_process else run_here)(self.root, script, *arguments, **environment)

    def run_ok(self, script: str, *arguments: str, **environment: str) -> str:
        """Runs a stage script that must succeed; gives what it said."""
        done = self.run(script, *arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def error_line(self, script: str, *arguments: str, **environment: str) -> str:
        """Runs a stage script that must fail as a user's mistake does; gives its one error line."""
        done = self.run(script, *arguments, **environment)
        assert done.returncode == 1, (done.returncode, done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, done.stderr
        return lines[0]

    def files(self) -> dict[str, bytes]:
        """Every file of the project but its caches, by path."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and ".cache" not in path.parts
        }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project folder with the default settings."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture
def embedded_project(project: Project) -> Project:
    """A project folder in the embedded world, validated."""
    project.set(embedded=True)
    project.run_ok("validate.py")
    return project


@pytest.fixture
def in_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project folder that the test itself works in."""
    monkeypatch.chdir(project.root)
    return project


@pytest.fixture(scope="session")
def aggregated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up run after aggregate."""
    from tests.made_up.aggregated_run import SHAPE, aggregate
    from tests.made_up.run import write_run

    directory = tmp_path_factory.mktemp("aggregate") / "run"
    write_run(directory, SHAPE)
    aggregate(directory)
    return directory


@pytest.fixture
def copied(aggregated: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(aggregated, tmp_path / "run"))


@pytest.fixture
def hub_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator["HubServer"]:
    """A Hub that this process may write to as `me`."""
    from tests.made_up.publishing import own_hub

    with own_hub(monkeypatch, tmp_path / "home") as running:
        yield running


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "FinishedRun":
    """A finished run, in the folder that the test works in, with publish.py as the command that was given."""
    from tests.made_up.finished_run import finished_run

    monkeypatch.setattr(sys, "argv", ["publish.py"])
    return finished_run(tmp_path / "project", monkeypatch)
