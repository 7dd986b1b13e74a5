"""No foreign code: a dataset of the Hub with a script and a metric of the Hub are refused, before anything is asked."""

import json
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.made_up.benchmark_datasets import use_datasets
from tests.made_up.benchmark_tasks import CHOICE, write_task
from tests.servers.hub.server import HubServer
from tests.stages.test_benchmark import with_models
from tuneproof.records.handovers import BENCHMARKS

ITEM = {"question": "Which?", "choices": ["this", "that"], "answer": 0}
OWN_FILE = "dataset_kwargs: {data_files: {test: tasks/choice.jsonl}}\n"
MARK = "foreign code ran"
SCRIPT = f"""import pathlib
import datasets
pathlib.Path({MARK!r}).touch()


class Scripted(datasets.GeneratorBasedBuilder):
    pass
"""


@pytest.fixture
def hub(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    """The local Hub, which the library of datasets asks too."""
    use_datasets(hub_server, monkeypatch, tmp_path / "datasets")
    return hub_server


def refused(project: Project, tmp_path: Path, text: str) -> str:
    """The one line that says so; no row is written, and nothing ran."""
    write_task(project.root, "choice", text, [ITEM])
    with_models(project, choice={"path": "tasks/choice.yaml"})
    line = project.error_line("benchmark.py", "sft")
    assert not (project.root / BENCHMARKS.path("sft")).exists()
    assert not list(tmp_path.rglob(MARK))
    return line


def scripted(hub: HubServer, **files: bytes) -> str:
    """A task on a dataset with a script, beside files of its rows where these are given."""
    named = {f"{name}.jsonl": content for name, content in files.items()}
    hub.hub.add("dataset", "team/scripted", {"scripted.py": SCRIPT.encode(), "README.md": b"# Data\n", **named})
    return CHOICE.format(name="choice").replace("dataset_path: json", "dataset_path: team/scripted")


@pytest.mark.parametrize("options", ["", "dataset_kwargs: {trust_remote_code: true}\n"])
def test_a_dataset_with_code_of_its_own_is_refused_also_where_the_task_trusts_it(
    project: Project, hub: HubServer, tmp_path: Path, options: str
) -> None:
    text = scripted(hub, rows=json.dumps(ITEM).encode()).replace(OWN_FILE, options)
    assert refused(project, tmp_path, text) == (
        "error: benchmark.tasks.choice: the dataset team/scripted comes with code of its own, and no foreign code is "
        "run; use a dataset of plain files, or a local copy of its rows"
    )


def test_a_dataset_that_is_nothing_but_code_holds_no_rows(project: Project, hub: HubServer, tmp_path: Path) -> None:
    line = refused(project, tmp_path, scripted(hub).replace(OWN_FILE, ""))
    assert line.startswith("error: dataset team/scripted: it holds no parquet, JSON or CSV file; ")


def test_a_metric_of_the_hub_is_refused(project: Project, tmp_path: Path) -> None:
    text = CHOICE.format(name="choice").replace("metric: acc_norm", "metric: team/metric")
    line = refused(project, tmp_path, text)
    assert line == (
        "error: benchmark.tasks.choice: the metric team/metric is code from the Hub, and no foreign code is run; use "
        "one of the harness's metrics, or a Python function of your own"
    )
