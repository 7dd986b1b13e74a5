"""A trained evaluator is loaded from its folder in one line and scores rows in another."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.made_up.evaluators import SCALE, TOPICS, YES_NO, trained
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tuneproof.common.errors import UserError
from tuneproof.scoring.evaluator import Evaluator, load
from tuneproof.scoring.evaluator.learning.examples import Classes

QUESTION = "What does the gradient do with block 3?"
REFERENCE = "The gradient doubles block 3 before the next step begins."
GOOD = "It doubles block 3, and the gradient does so before the next step."
BAD = "Dinner halves in the kitchen, with salt."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluators") / "accuracy"
    trained(path)
    return path


@pytest.fixture(scope="module")
def evaluator(folder: Path) -> Evaluator:
    return load(folder)


def test_a_right_answer_scores_above_a_wrong_one(evaluator: Evaluator) -> None:
    good = evaluator.score(input=QUESTION, output=GOOD, ground_truth=REFERENCE)
    bad = evaluator.score(input=QUESTION, output=BAD, ground_truth=REFERENCE)
    assert good.score is not None
    assert bad.score is not None
    assert good.score > bad.score + 0.8
    assert (good.label, bad.label) == ("3", "1")


@pytest.mark.parametrize("classes", [SCALE, YES_NO, TOPICS])
def test_what_it_says_fits_its_classes(classes: Classes, tmp_path: Path) -> None:
    trained(tmp_path, classes, questions=12)
    loaded = load(tmp_path)
    for text in (GOOD, BAD, ""):
        said = loaded.score(input=QUESTION, output=text, ground_truth=REFERENCE)
        assert tuple(said.probabilities) == classes.names
        assert sum(said.probabilities.values()) == pytest.approx(1, abs=3e-4)
        assert said.label in classes.names
        assert 0 <= said.probability <= 1
        if classes.steps is None:
            assert said.score is None
            assert said.probability == max(said.probabilities.values())
        else:
            assert said.score is not None
            assert classes.steps[0] <= said.score <= classes.steps[-1]
    if classes is YES_NO:
        assert said.probability == pytest.approx(said.probabilities["yes"], abs=1e-4)


def test_a_table_is_scored_row_by_row_as_single_answers_are(evaluator: Evaluator) -> None:
    rows = [{"input": QUESTION, "output": text, "ground_truth": REFERENCE, "id": 7} for text in (GOOD, BAD) * 40]
    singly = [evaluator.score(input=QUESTION, output=str(row["output"]), ground_truth=REFERENCE) for row in rows]
    assert list(evaluator.score_table(rows, batch_size=7)) == singly


def test_a_table_is_streamed(evaluator: Evaluator) -> None:
    scored = evaluator.score_table(itertools.repeat({"output": GOOD}))
    assert next(scored) == next(scored)


def test_columns_that_are_missing_are_no_bug(evaluator: Evaluator) -> None:
    assert evaluator.score(output=GOOD) == next(evaluator.score_table([{"output": GOOD, "ground_truth": None}]))


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_texts_get_a_score(evaluator: Evaluator, text: str) -> None:
    assert 0 <= evaluator.score(input=text, output=text, ground_truth=text).probability <= 1


@given(st.text(), st.text(), st.none() | st.text())
def test_any_text_gets_a_score(evaluator: Evaluator, asked: str, output: str, truth: str | None) -> None:
    assert 0 <= evaluator.score(input=asked, output=output, ground_truth=truth).probability <= 1


@pytest.mark.parametrize(
    ("row", "found"),
    [({"input": "a"}, "row 2: it has no output"), ({"output": 3}, r"its output is no text \(int\)"),
     ({"output": "a", "input": ["b"]}, r"row 2: its input is no text \(list\)")],
)  # fmt: skip
def test_a_row_that_is_no_answer_is_named(evaluator: Evaluator, row: dict[str, object], found: str) -> None:
    with pytest.raises(UserError, match=found):
        list(evaluator.score_table([{"output": "fine"}, row]))


def test_its_content_is_that_of_all_its_files(folder: Path, evaluator: Evaluator, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert load(copy).content == evaluator.content
    (copy / "words.json").write_text((copy / "words.json").read_text().replace("1", "2", 1))
    with pytest.raises(UserError, match=r"words\.json: it is not the file that evaluator\.json names"):
        load(copy)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("evaluator.json", None, "it cannot be read .*; name the folder that `python scripts/train.py"),
        ("evaluator.json", b"{", "it describes no evaluator"),
        ("evaluator.json", b"{}", "it describes no evaluator"),
        ("words.json", None, "it cannot be read"),
        ("words.json", b"{}", "it is not the file"),
    ],
)
def test_a_broken_folder_is_one_clear_line(
    folder: Path, tmp_path: Path, name: str, content: bytes | None, found: str
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    if content is None:
        (copy / name).unlink()
    else:
        (copy / name).write_bytes(content)
    with pytest.raises(UserError, match=found):
        load(copy)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"classes": ["1", "1", "3"]}, "one is named twice"),
        ({"steps": [1, 2]}, "steps"),
        ({"cuts": [0.9, 0.1]}, "cuts"),
        ({"scores_with": "../words.json"}, "scores_with"),
        ({"scores_with": "other.json"}, "none of the files"),
        ({"columns": ["input"]}, "an evaluator sees the output"),
        ({"calibration": {"kind": "isotonic"}}, "curves"),
        ({"format": 2}, "format"),
    ],
)
def test_a_manifest_that_fits_no_evaluator_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, object], found: str
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    manifest = json.loads((copy / "evaluator.json").read_text())
    (copy / "evaluator.json").write_text(json.dumps(manifest | change))
    with pytest.raises(UserError, match=found):
        load(copy)


def test_scoring_on_words_loads_no_numerical_package(folder: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'scripts')\n"
        "from tuneproof.scoring.evaluator import load\n"
        f"load({str(folder)!r}).score(output='fine')\n"
        "print(sorted({'numpy', 'scipy', 'torch', 'sklearn', 'pandas', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
