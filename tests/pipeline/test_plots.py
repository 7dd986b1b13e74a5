"""DVC's plots as DVC writes them, opened in a real browser without a network."""

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import opened
from tests.made_up.committed_run import DVC, command
from tests.made_up.run import Shape, write_run
from tests.running import run_here

REPOSITORY = Path(__file__).parent.parent.parent
MARKS = """() => [...document.querySelectorAll('canvas')].filter(canvas => canvas.width > 0).map(canvas => {
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const colours = {};
    for (let i = 0; i < data.length; i += 4) {
        const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
        if (data[i + 3] > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 40) {
            colours[[r, g, b]] = (colours[[r, g, b]] || 0) + 1;
        }
    }
    return colours;
})"""  # per plot, how many pixels of each colour that is no grey


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs with different models, one committed and one in the workspace."""
    project = tmp_path_factory.mktemp("plots") / "project"
    aggregate(project, Shape(questions=80, run="embedded"))
    shutil.copy(REPOSITORY / "report" / "dvc.yaml", project / "report")
    (project / ".gitignore").write_text("/data/\n/dvc_plots/\n")
    command(project, "git", "init", "--quiet")
    command(project, "git", "config", "user.email", "someone@localhost")
    command(project, "git", "config", "user.name", "someone")
    command(project, *DVC, "init", "--quiet")
    shutil.copytree(REPOSITORY / ".dvc/plots", project / ".dvc/plots")
    shutil.copy(REPOSITORY / ".dvc/config", project / ".dvc/config")
    command(project, "git", "add", "--all")
    command(project, "git", "commit", "--quiet", "--message", "one")
    aggregate(project, Shape(questions=60, models=("sft", "dpo", "orpo", "baseline"), seed=9))
    return project


def aggregate(project: Path, shape: Shape) -> None:
    """Makes up a run and aggregates it."""
    write_run(project, shape)
    done = run_here(project, "aggregate.py")
    assert done.returncode == 0, done.stderr


@pytest.mark.exhaustive
@pytest.mark.parametrize("arguments", [["show"], ["diff", "HEAD", "workspace"]])
def test_the_plots_open_offline_and_draw_something(project: Path, browser: Browser, arguments: list[str]) -> None:
    command(project, *DVC, "plots", *arguments)
    with opened(browser, project / "dvc_plots/index.html") as page:
        page.page.wait_for_function("document.querySelectorAll('canvas').length === 5")
        colours = page.page.evaluate(MARKS)
        assert page.said == [] and page.requested == []
    assert len(colours) == 5
    assert all(sum(plot.values()) > 500 for plot in colours)


@pytest.mark.exhaustive
def test_two_revisions_have_two_colours(project: Path, browser: Browser) -> None:
    command(project, *DVC, "plots", "diff", "HEAD", "workspace")
    with opened(browser, project / "dvc_plots/index.html") as page:
        page.page.wait_for_function("document.querySelectorAll('canvas').length === 5")
        scores, gains, distribution, _, win_rates = page.page.evaluate(MARKS)
    for plot in (scores, gains, win_rates):
        assert plot["148,93,214"] > 200 and plot["19,173,199"] > 200  # DVC's first two colours
    assert sum(count > 1_000 for count in distribution.values()) == 3  # one colour per step of the scale


@pytest.mark.exhaustive
def test_a_single_model_draws_everything_but_gains_and_win_rates(
    tmp_path: Path, project: Path, browser: Browser
) -> None:
    alone = Path(shutil.copytree(project, tmp_path / "alone"))
    aggregate(alone, Shape(questions=12, models=("baseline",), criteria={"correct": (0, 1)}, compare=False))
    command(alone, *DVC, "plots", "show")
    with opened(browser, alone / "dvc_plots/index.html") as page:
        page.page.wait_for_function("document.querySelectorAll('canvas').length >= 3")
        assert page.said == [] and page.requested == []
        assert sum(sum(plot.values()) > 20 for plot in page.page.evaluate(MARKS)) == 3


def test_the_page_names_what_it_contains_and_fetches_nothing() -> None:
    page = (REPOSITORY / ".dvc/plots/offline.html").read_text(encoding="utf-8")
    assert '"vega": "5.33.1"' in page and "Redistribution and use in source and binary forms" in page
    assert "default-src 'none'" in page
    assert "<script src" not in page and "<link" not in page
    assert len(page) < 1_000_000


def test_a_template_uses_only_what_every_viewer_knows() -> None:
    for path in sorted((REPOSITORY / ".dvc/plots").glob("*.json")):
        template = json.loads(path.read_text())
        assert template["$schema"].endswith("/vega-lite/v5.json")
        assert template["data"] == {"values": "<DVC_METRIC_DATA>"}
