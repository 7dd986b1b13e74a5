import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tuneproof.common.errors import UserError
from tuneproof.common.files import write_all, write_json, write_lines


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_lines(path, ["a row\n", "another\n"])
    before = path.read_bytes()

    def lines() -> Iterator[str]:
        yield "half a line"
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        write_lines(path, lines())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_files_are_written_all_or_none(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder belongs")
    (tmp_path / "folder").mkdir()
    for broken in (tmp_path / "blocked" / "b.txt", tmp_path / "folder"):
        with pytest.raises(UserError, match="it cannot be written"):
            write_all([(tmp_path / "a.txt", ["a"]), (broken, ["b"])])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocked", "folder"]


def test_an_error_of_whoever_makes_the_lines_is_not_the_files(tmp_path: Path) -> None:
    def lines() -> Iterator[str]:
        yield "a line"
        raise ConnectionResetError("the endpoint")

    def files() -> Iterator[tuple[Path, list[str]]]:
        yield tmp_path / "a.txt", ["a"]
        raise IsADirectoryError("elsewhere")

    with pytest.raises(ConnectionResetError, match="the endpoint"):
        write_lines(tmp_path / "rows.jsonl", lines())
    with pytest.raises(IsADirectoryError, match="elsewhere"):
        write_all(files())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UserError, match=r"rows.jsonl: it cannot be written \(No space left on device\)"):
        write_lines(tmp_path / "rows.jsonl", ["a"])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def project_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dvc.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_lies_beside_a_file_that_is_being_written(project_folder: Path) -> None:
    def lines() -> Iterator[str]:
        assert [path.name for path in (project_folder / "data").iterdir()] == []
        (waiting,) = (project_folder / ".cache" / "writing").iterdir()
        assert waiting.name.startswith(f".{os.getpid()}-")
        yield "a"
        write_lines(Path("data/another.txt"), ["b"])  # which leaves alone what somebody still writes
        assert waiting.exists()

    write_lines(Path("data/rows.txt"), lines())
    assert Path("data/rows.txt").read_text() == "a"
    assert list((project_folder / ".cache" / "writing").iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(project_folder: Path) -> None:
    code = (
        "import os, pathlib, signal\n"
        "from tuneproof.common.files import write_lines\n"
        "write_lines(pathlib.Path('data/rows.txt'), (os.kill(os.getpid(), signal.SIGKILL) for _ in range(1)))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    folder = project_folder / ".cache" / "writing"
    assert len(list(folder.iterdir())) == 1
    assert list((project_folder / "data").iterdir()) == []
    write_lines(Path("data/rows.txt"), ["a"])
    assert list(folder.iterdir()) == []


def test_a_cache_on_another_disk_or_mount_is_no_obstacle(project_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project_folder / ".cache").symlink_to(tempfile.mkdtemp(dir="/dev/shm"))
    write_lines(Path("data/rows.txt"), ["a"])
    (project_folder / ".cache").unlink()
    replace = Path.replace

    def across_mounts(self: Path, target: Path) -> Path:
        if self.parent.name == "writing":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", across_mounts)
    write_lines(Path("data/more.txt"), ["b"])
    assert sorted(path.name for path in Path("data").iterdir()) == ["more.txt", "rows.txt"]
    assert Path("data/more.txt").read_text() == "b"


def test_umask_is_honoured(tmp_path: Path) -> None:
    before = os.umask(0o027)
    write_lines(tmp_path / "a.txt", ["a"])
    os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_number_that_is_none_never_reaches_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"mean": float("nan")})
    assert list(tmp_path.iterdir()) == []
