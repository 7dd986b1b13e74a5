import os
import subprocess
from pathlib import Path

import pytest

from tuneproof.results.report.sections.again import Again, commands, how_again
from tuneproof.results.repository import folder_in_repository, public_address, repository_address


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of a project's own, in which the test works; nothing of the machine's configuration holds."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    git("add", "dvc.yaml")
    return tmp_path


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("https://example.org/team/project.git", "https://example.org/team/project.git"),
        ("https://someone:a-secret@example.org:8443/team/project", "https://example.org:8443/team/project"),
        ("https://a-secret@example.org/project", "https://example.org/project"),
        ("https://someone@company:a@secret@example.org/project", "https://example.org/project"),
        ("https://example.org/project?private_token=a-secret#a-secret", "https://example.org/project"),
        ("https://someone:a/secret@example.org/project", None),
        ("https://someone:12/a-secret@example.org/project", None),
        ("ssh://git@example.org:2222/project", "ssh://git@example.org:2222/project"),
        ("ssh://someone:a-secret@example.org/project", "ssh://example.org/project"),
        ("git@example.org:team/project.git", "git@example.org:team/project.git"),
        ("someone@example.org:project", "example.org:project"),
        ("someone:a-secret@example.org:project", None),
        ("/srv/git/a-secret", None),
        ("../a-secret", None),
        ("file:///srv/a-secret", None),
        ("codecommit::eu-west-1://someone@a-secret", None),
        ("ext::sh -c a-secret", None),
        ("https://[::1", None),
        ("https://a-secret?x@github.com/team/project", None),
        ("https://someone.x:12#a-secret@example.org/project", None),
        ("https://example.org/project;token=a-secret", None),
        ("git@example.org:team/project?token=a-secret", None),
        ("git@example.org:team/project#a-secret", None),
        ("C:/Users/someone/project", None),
        ("someone-nas.local:project", None),
        ("example.org:/home/someone/project", None),
        ("http://localhost:3000/project", None),
        ("someone-alias:team/project", None),
        ("[git@example.org:2222]:team/project", None),
        ("--upload-pack=a-secret:x", None),
        ("-o.a-secret:x", None),
        ("", None),
    ],
)
def test_an_address_is_named_without_what_only_its_owner_may_know(address: str, public: str | None) -> None:
    assert public_address(address) == public
    assert "secret" not in (public or "") and "someone" not in (public or "")


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/team/project",
        "https://github.com/team/project.git",
        "https://a-secret:x-oauth-basic@github.com/team/project.git/",
        "git@github.com:team/project.git",
        "ssh://git@github.com/team/project.git",
    ],
)
def test_clones_by_all_ways_from_a_well_known_host_name_it_alike(address: str) -> None:
    assert public_address(address) == "https://github.com/team/project"


def test_the_usual_remote_is_named_or_the_only_one(repository: Path) -> None:
    assert repository_address() is None
    git("remote", "add", "upstream", "https://example.org/upstream")
    assert repository_address() == "https://example.org/upstream"
    git("remote", "add", "fork", "https://example.org/fork")
    assert repository_address() is None, "neither of two is the usual one"
    git("remote", "add", "origin", "https://example.org/origin")
    git("remote", "set-url", "--add", "origin", "https://example.org/second")
    git("config", "url.https://a-secret@example.org/.insteadOf", "https://example.org/")
    assert repository_address() == "https://example.org/origin"


def test_a_remote_may_have_any_name_and_that_of_another_projects_repository_is_not_told(repository: Path) -> None:
    git("config", "remote.my fork.url", "https://example.org/fork")
    assert repository_address() == "https://example.org/fork"
    git("rm", "--quiet", "--cached", "dvc.yaml")
    assert repository_address() is None


def test_without_git_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert how_again() == Again(None, commands(None, ""))
    assert "git clone <address> repository &&" in how_again().commands


def test_a_project_within_a_repository_is_gone_into(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("remote", "add", "origin", "git@example.org:team/all-of-it.git")
    folder = repository / "models" / "evaluation"
    folder.mkdir(parents=True)
    (folder / "dvc.yaml").touch()
    git("add", "models/evaluation/dvc.yaml")
    monkeypatch.chdir(folder)
    assert folder_in_repository() == "models/evaluation"
    assert how_again().commands[1:3] == [
        "git clone git@example.org:team/all-of-it.git all-of-it &&",
        "cd all-of-it/models/evaluation &&",
    ]
