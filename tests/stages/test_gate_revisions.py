"""What the gate compares with: a commit, a tag, an experiment, what the cache lacks, and what is no revision."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.made_up.committed_run import DVC, SHAPE, STAGE, change_scores, command, commit_run, gate
from tests.made_up.run import write_run
from tests.running import run_here


def test_an_older_commit_and_a_branch_can_be_named(committed: Path) -> None:
    first = command(committed, "git", "rev-parse", "HEAD").strip()
    command(committed, "git", "branch", "released")
    change_scores(committed, lambda place, score: score - 1)
    commit_run(committed, "a worse model")
    assert gate(committed).returncode == 0
    assert gate(committed, "--against", first[:10]).returncode == 1
    assert gate(committed, "--against", "released").returncode == 1
    assert gate(committed, "--against", "HEAD~1").returncode == 1


def test_an_experiment_can_be_named(committed: Path) -> None:
    change_scores(committed, lambda place, score: score - 1)
    command(committed, *DVC, "commit", "--quiet", "--force")
    command(committed, *DVC, "exp", "save", "--quiet", "--name", "worse-one")
    assert gate(committed, "--against", "worse-one").returncode == 0
    assert gate(committed, "--against", "HEAD").returncode == 1


def test_a_missing_revision_is_one_line_and_no_regression(committed: Path) -> None:
    done = gate(committed, "--against", "no-such-branch")
    assert done.returncode == 2
    assert "error: revision no-such-branch: there is no such revision; name a commit" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("revision", ["", " "])
def test_an_empty_variable_of_ci_is_no_revision(committed: Path, revision: str) -> None:
    done = gate(committed, "--against", revision)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: revision: its name is empty; name a commit")


@pytest.mark.parametrize("revision", ["HEAD:metrics", "HEAD:params.yaml", "HEAD^{tree}"])
def test_a_folder_or_file_in_git_is_no_revision(committed: Path, revision: str) -> None:
    done = gate(committed, "--against", revision)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: revision {revision}: there is no such revision; ")
    assert "Traceback" not in done.stderr


def test_an_annotated_tag_can_be_named(committed: Path) -> None:
    command(committed, "git", "tag", "--annotate", "released", "--message", "A release")
    assert gate(committed, "--against", "released").returncode == 0


def test_content_that_is_nowhere_is_one_line(committed: Path) -> None:
    change_scores(committed, lambda place, score: score)
    shutil.rmtree(committed / ".dvc/cache")
    done = gate(committed)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: revision HEAD, data/questions.jsonl: ")
    assert "dvc push" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_remote_gives_what_the_cache_lacks(committed: Path, tmp_path: Path) -> None:
    command(committed, *DVC, "remote", "add", "--default", "store", str(tmp_path / "store"))
    command(committed, *DVC, "push", "--quiet")
    shutil.rmtree(committed / ".dvc/cache")
    done = gate(committed)
    assert done.returncode == 0, done.stderr


def test_a_folder_without_dvc_is_one_line(tmp_path: Path) -> None:
    write_run(tmp_path, SHAPE)
    assert run_here(tmp_path, "aggregate.py").returncode == 0
    done = gate(tmp_path)
    assert done.returncode == 2
    assert "error: revision HEAD: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_project_below_the_root_of_its_git_repository_is_compared_like_any_other(tmp_path: Path) -> None:
    repository, project = tmp_path / "repository", tmp_path / "repository" / "team" / "project"
    repository.mkdir()
    command(repository, "git", "init", "--quiet", "--initial-branch", "main")
    command(repository, "git", "config", "user.email", "someone@localhost")
    command(repository, "git", "config", "user.name", "someone")
    write_run(project, SHAPE)
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"all": STAGE}}))
    command(project, *DVC, "init", "--quiet", "--subdir")
    commit_run(project, "the first run")
    done = gate(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing changed" in done.stdout
