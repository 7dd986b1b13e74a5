from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_a_number_that_is_none_never_reaches_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"mean": float("nan")})
    assert list(tmp_path.iterdir()) == []
