"""The commands that README.md and docs/ci.md tell a user to run, run as they stand there with the real DVC."""

import json
import os
import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from tests.conftest import ROOT
from tests.pipeline.pipeline import Clone, run
from tests.pipeline.test_first_run import fresh_clone
from tests.servers.openai.server import OpenAIServer

pytestmark = pytest.mark.exhaustive

ENOUGH_QUESTIONS = 31  # decision.min_questions is 30
CANNOT_TELL = 2
WIDEST_TABLE = 300  # characters; DVC's whole table has more than 8,000


def block_after(page: str, heading: str, language: str) -> str:
    """The first code block of a language below a heading."""
    below = (ROOT / page).read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1]
    found = re.search(rf"```{language}\n(.*?)```", below[below.index(f"```{language}\n") :], re.DOTALL)
    assert found
    return found.group(1)


def shell(script: str, cwd: Path, **environment: str) -> "CompletedProcess[str]":
    """Runs a script as a step of GitHub's workflows runs: it ends with the first command that fails."""
    return run("bash", "-e", "-c", script, cwd=cwd, **environment)


def commands_of_the_readme() -> list[str]:
    """What the README has a user type for a first run of her own models, in its order."""
    console = block_after("README.md", "Your own models", "console")
    commands = [line.removeprefix("$ ").partition("  #")[0].strip() for line in console.splitlines()]
    return [command for command in commands if not command.startswith("source ")]


def test_the_readmes_first_run_is_rehearsed_made_shown_and_committed(tmp_path: Path) -> None:
    commands = commands_of_the_readme()
    real_run = commands.index("dvc repro")
    assert "make rehearse" in commands[:real_run]
    with OpenAIServer() as judge:
        clone = Clone.of_this_repository(tmp_path / "clone")
        clone.pretend_set_up()
        clone.use_recorded_models(judge.base_url)
        edited = clone.params()
        done = shell("\n".join(commands[:real_run]), clone.root)
        assert done.returncode == 0, done.stdout + done.stderr
        assert clone.params() == edited
        assert_the_rehearsal_is_listed(clone, done.stdout, done.stderr)
        paid = judge.counts.requests.total()
        done = shell("\n".join(commands[real_run:]), clone.root)
        assert done.returncode == 0, done.stdout + done.stderr
        assert judge.counts.requests.total() == paid > 0
    assert "sft: too few questions to decide" in done.stdout
    assert clone.git("log", "-1", "--format=%s") == "First results\n"
    assert "metrics/sft.json" in clone.git("show", "--name-only", "--format=")


def assert_the_rehearsal_is_listed(clone: Clone, printed: str, said: str) -> None:
    """That it said what it was, and stands in the lists of experiments, which can be read."""
    told = [line for line in (printed + said).splitlines() if "this is a rehearsal on the first 10 questions" in line]
    assert [line.partition(": ")[0] for line in told] == ["validate", "report", "publish"], "no warnings"
    assert all(line.endswith("which was asked of this run only; the real run is `dvc repro`") for line in told)
    assert "set `dummy: false`" not in printed + said, "it is false in her params.yaml"
    assert "No file hash info" not in printed + said, "what DVC says of files that it has not seen"
    assert "too few questions to decide" in printed
    listed = shell("make experiments", clone.root).stdout
    assert re.search(r"^rehearsal +dummy=true +accuracy ", listed, re.MULTILINE)
    line = block_after("docs/decision.md", "Experiments", "console").removeprefix("$ ").strip()
    header, _, *rows = shell(f"{line} --md", clone.root).stdout.strip().splitlines()
    assert "gain.accuracy" in header and "verdict" in header and "dummy" in header
    assert "rehearsal" in rows[-1]
    assert len(header) < WIDEST_TABLE


def test_a_rehearsal_that_was_committed_says_so_first_and_last(tmp_path: Path) -> None:
    with OpenAIServer() as judge:
        clone = Clone.of_this_repository(tmp_path / "clone")
        clone.use_recorded_models(judge.base_url, questions=ENOUGH_QUESTIONS)
        clone.write_params(clone.params() | {"dummy": True})
        clone.commit("Our models, and a rehearsal by oversight")
        for said in (clone.dvc("repro"), clone.dvc("repro")):  # the second one finds nothing to do
            of_stages = [line for line in said.splitlines() if re.match(r"(warning: )?(validate|publish)", line)]
            for line in (of_stages[0], of_stages[-1]):
                assert re.match("warning: (validate|publish): this is a rehearsal on the first 10 questions", line)


def test_the_gate_in_ci_pulls_what_it_compares(tmp_path: Path) -> None:
    step = block_after("docs/ci.md", "On your own models", "yaml").partition("run: |\n")[2]
    script = step.replace("${{ github.base_ref }}", "main")
    with OpenAIServer() as judge:
        trained = Clone.of_this_repository(tmp_path / "trained")
        trained.use_recorded_models(judge.base_url, questions=ENOUGH_QUESTIONS)
        trained.dvc("remote", "add", "--default", "storage", str(tmp_path / "storage"))
        trained.dvc("repro")
        trained.commit("A run")
        trained.dvc("push")
    checkout = Clone(tmp_path / "checkout")
    run("git", "clone", "--quiet", str(trained.root), str(checkout.root), cwd=tmp_path)
    summary = tmp_path / "summary.md"
    done = shell(script, checkout.root, GITHUB_STEP_SUMMARY=str(summary), GIT_CONFIG_GLOBAL=os.devnull)
    assert done.returncode == 0, done.stdout + done.stderr
    assert summary.read_text(encoding="utf-8").startswith("**Gate: no regression, against origin/main.**")


def test_the_workflow_in_ci_runs_the_demonstration_before_and_after_and_stops_a_regression(tmp_path: Path) -> None:
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    workflow = yaml.safe_load(page.split("```yaml\n", 1)[1].split("```", 1)[0])
    install, before_and_after, gate = [step["run"] for step in workflow["jobs"]["gate"]["steps"] if "run" in step]
    names = "\n".join(line for line in install.splitlines() if "pip install" not in line)
    clone = fresh_clone(tmp_path / "clone")
    revisions = {"BASE": clone.git("rev-parse", "HEAD").strip()}
    shipped = clone.read("params.yaml").decode()
    assert "    temperature: 0.8" in shipped
    (clone.root / "params.yaml").write_text(shipped.replace("    temperature: 0.8", "    temperature: 2.0"))
    clone.commit("Answers are drawn almost at random")
    revisions["HEAD"] = clone.git("rev-parse", "HEAD").strip()
    summary = tmp_path / "summary.md"
    for script in (names, before_and_after):
        done = shell(script, clone.root, GIT_CONFIG_GLOBAL=os.devnull, **revisions)
        assert done.returncode == 0, done.stdout + done.stderr
    done = shell(gate, clone.root, GITHUB_STEP_SUMMARY=str(summary), GIT_CONFIG_GLOBAL=os.devnull)
    assert done.returncode == 1, done.stdout + done.stderr
    written = summary.read_text(encoding="utf-8")
    assert written.startswith("**Gate: REGRESSION, against before-this-pull-request.**")
    assert "Demonstration" in written


def test_a_revision_of_another_version_can_be_compared_after_todays_pipeline_ran_on_it(tmp_path: Path) -> None:
    console = block_after("docs/decision.md", "The gate", "console")
    script = "\n".join(line.removeprefix("$ ") for line in console.splitlines()).replace("<revision>", "older")
    with OpenAIServer() as judge:
        clone = Clone.of_this_repository(tmp_path / "clone")
        clone.use_recorded_models(judge.base_url, questions=ENOUGH_QUESTIONS)
        clone.dvc("repro")
        for path in (clone.root / "data/details").iterdir():
            details = json.loads(path.read_text(encoding="utf-8"))
            del details["run"]["judge_settings"]
            path.write_text(json.dumps(details), encoding="utf-8")
        clone.dvc("commit", "--force", "--quiet")
        clone.commit("An older version's run")
        clone.git("tag", "older")
        with (clone.root / "scripts/tuneproof/results/details/model.py").open("a") as script_of_today:
            script_of_today.write("# Another version.\n")
        params = clone.params()
        params["models"]["orpo"] = {"engine": "recorded", "path": "orpo.jsonl"}
        clone.write_params(params)
        clone.dvc("repro")
        clone.commit("Today, with a fourth model")
        bought = judge.counts.requests.total()
        assert run("python", "scripts/gate.py", "--against", "older", cwd=clone.root).returncode == CANNOT_TELL
        done = shell(script, clone.root)
        assert done.returncode == 0, done.stdout + done.stderr
        assert judge.counts.requests.total() == bought
    assert "Gate: no regression, against before." in done.stdout
    assert "Not compared: orpo (not in before)." in done.stdout
