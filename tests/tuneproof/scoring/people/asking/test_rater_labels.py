from pathlib import Path

import pytest

from tests.made_up.labels import label
from tuneproof.common.errors import UserError
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import LABELS
from tuneproof.scoring.people.asking.labels import Others, RaterLabels, round_of


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_label_takes_the_place_of_the_one_before() -> None:
    own = RaterLabels("anna")
    own.save([label(key="a"), label(key="b")])
    own.save([label(key="a", scores={"accuracy": 3})])
    assert [(one.key, one.scores) for one in RaterLabels("anna")] == [("a", {"accuracy": 3}), ("b", {"accuracy": 2})]


def test_labels_of_another_round_stay() -> None:
    own = RaterLabels("anna")
    own.save([label(key="a", instructions="before")])
    own.save([label(key="a", scores={"accuracy": 1}, round=2)])
    assert [one.round for one in RaterLabels("anna")] == [1, 2]
    found = own.find(["a"], "now")
    assert found is not None
    assert found.scores == {"accuracy": 1}


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_last_line_that_was_cut_off_is_left_out_and_the_next_save_heals_the_file(
    cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    RaterLabels("anna").save([label(key="a"), label(key="b")])
    path = LABELS.path("anna")
    path.write_bytes(path.read_bytes()[:-cut])
    own = RaterLabels("anna")
    kept = [one.key for one in own]
    assert kept == (["a", "b"] if cut == 1 else ["a"])
    assert ("cut off" in capsys.readouterr().err) == (cut > 1)
    own.save([label(key="c")])
    assert [one.key for one in RaterLabels("anna")] == [*kept, "c"]


def test_any_other_broken_line_stops_and_nobody_is_told_to_delete_labels() -> None:
    RaterLabels("anna").save([label(key="a")])
    path = LABELS.path("anna")
    path.write_text("<<<<<<< HEAD\n" + path.read_text())
    with pytest.raises(UserError, match=r"line 1: this is no label: .*; correct the line, or restore the file"):
        RaterLabels("anna")


def test_what_git_pulled_meanwhile_is_kept() -> None:
    own = RaterLabels("anna")
    own.save([label(key="a")])
    write_rows(LABELS.path("anna"), [label(key="a"), label(key="pulled")])
    own.save([label(key="b")])
    assert [one.key for one in RaterLabels("anna")] == ["a", "pulled", "b"]


def test_a_save_that_fails_changes_nothing(in_folder: Path) -> None:
    own = RaterLabels("anna")
    own.save([label(key="a")])
    LABELS.path("anna").unlink()
    LABELS.directory.rmdir()
    (in_folder / LABELS.directory).write_text("a file is in the way")
    with pytest.raises((UserError, NotADirectoryError)):
        own.save([label(key="b")])


def test_a_rater_is_open_in_one_place_at_a_time() -> None:
    with RaterLabels.opened("anna"):
        with pytest.raises(UserError, match="open for this rater already"), RaterLabels.opened("anna"):
            pass
        with RaterLabels.opened("ben"):
            pass
    with RaterLabels.opened("anna"):
        pass


def test_others_are_counted_as_they_rate() -> None:
    others = Others("anna")
    assert others.count(["a"], "now") == 0
    RaterLabels("anna").save([label(key="a")])
    RaterLabels("ben").save([label(key="a", rater="ben"), label(key="b", rater="ben", scores=None)])
    assert (others.count(["a"], "now"), others.count(["b"], "now"), others.count(["a"], "later")) == (1, 0, 0)
    RaterLabels("carl").save([label(key="a", rater="carl", instructions=None)])
    assert others.count(["other", "a"], "now") == 2


def test_changed_words_start_a_new_round_and_words_that_come_back_their_own() -> None:
    assert round_of("now") == 1
    RaterLabels("anna").save([label(key="a")])
    assert (round_of("now"), round_of("other words")) == (1, 2)
    RaterLabels("ben").save([label(key="a", rater="ben", instructions="other words", round=2)])
    assert (round_of("now"), round_of("other words"), round_of("further words")) == (1, 2, 3)
