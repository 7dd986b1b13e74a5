import json
from pathlib import Path

import pytest

from tuneproof.common.errors import UserError
from tuneproof.sources.hub.pins import Pin, Pins

FIRST = Pin("1" * 40, "a" * 64)
SECOND = Pin("2" * 40, "b" * 64)


def test_pins_come_back_as_they_were_saved(tmp_path: Path) -> None:
    pins = Pins.load(tmp_path / "pins.json")
    pins.put("model", "team/model", "main", FIRST)
    pins.put("dataset", "team/data", "v2", SECOND)
    pins.save()
    loaded = Pins.load(tmp_path / "pins.json")
    assert loaded.get("model", "team/model", "main") == FIRST
    assert loaded.get("dataset", "team/data", "v2") == SECOND
    assert loaded.get("dataset", "team/model", "main") is None
    assert loaded.get("model", "team/model", "v2") is None


def test_the_file_is_sorted_and_indented_for_a_readable_diff(tmp_path: Path) -> None:
    pins = Pins.load(tmp_path / "pins.json")
    pins.put("model", "team/zebra", "main", FIRST)
    pins.put("model", "team/ant", "main", SECOND)
    pins.save()
    text = (tmp_path / "pins.json").read_text()
    assert list(json.loads(text)) == ["datasets", "models"]
    assert list(json.loads(text)["models"]) == ["team/ant@main", "team/zebra@main"]
    assert '\n    "team/ant@main": {\n' in text
    assert text.endswith("}\n")


def test_nothing_is_written_before_save(tmp_path: Path) -> None:
    pins = Pins.load(tmp_path / "pins.json")
    pins.put("model", "team/model", "main", FIRST)
    assert list(tmp_path.iterdir()) == []


def test_an_unchanged_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    pins = Pins.load(path)
    pins.put("model", "team/model", "main", FIRST)
    pins.save()
    before = path.stat()
    Pins.load(path).save()
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "<<<<<<< HEAD\n{}",
        '{"models": []}',
        '{"models": {"a/b@main": null}}',
        '{"models": {"a/b@main": {"sha": "1"}}}',
        '{"models": {"a/b@main": {"sha": "main", "content": "x"}}}',
        '{"models": {"a/b@main": {"sha": 1, "content": 2}}}',
    ],
)
def test_a_file_that_holds_no_pins_stops(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"pins\.json: this is not a file of pins .*restore it from Git"):
        Pins.load(path)
