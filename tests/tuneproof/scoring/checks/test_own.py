from pathlib import Path
from typing import Any

import pytest

from tests.tuneproof.scoring.checks.cases import found, question
from tuneproof.common.errors import UserError
from tuneproof.scoring.checks.finding import Finding
from tuneproof.scoring.checks.own import load_function

FUNCTION: dict[str, Any] = {"kind": "python", "path": "checks/mine.py", "function": "mine"}


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checks").mkdir()
    load_function.cache_clear()
    return tmp_path / "checks" / "mine.py"


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ("True", Finding(1, "")),
        ("0.5, 'half'", Finding(0.5, "half")),
        ("len(answer) / 10, question", Finding(0.5, "What is the capital?")),
        ("reference == answer", Finding(1, "")),
        ("None", Finding(None, "the function gave no value")),
        ("None, 'no\\nsource'", Finding(None, "no source")),
    ],
)
def test_a_function_gives_a_value_or_a_value_and_a_reason(mine: Path, body: str, finding: Finding) -> None:
    mine.write_text(f"def mine(answer, question, reference):\n    return {body}\n")
    assert found("Paris", question("Paris"), **FUNCTION) == finding


def test_a_function_may_have_a_range_of_its_own(mine: Path) -> None:
    mine.write_text("def mine(answer, question, reference):\n    return len(answer)\n")
    assert found("Paris", **FUNCTION, low=0, high=100).value == 5


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "checks/mine.py: there is no such file; correct the path"),
        ("def mine(:", "checks/mine.py: it does not run (SyntaxError: "),
        ("import sys; sys.exit(3)", "checks/mine.py: it does not run (SystemExit: 3); mend it"),
        ("x = 1", "checks/mine.py: it defines no function mine; define it, or correct the setting"),
        ("def mine(*_): return 1 / 0", "checks/mine.py, mine: it failed on answer q1 (ZeroDivisionError: division by"),
        ("def mine(*_): return 2", "checks/mine.py, mine: it gave 2 for answer q1, not a number from 0 to 1; give"),
        ("def mine(*_): return float('nan')", "checks/mine.py, mine: it gave nan for answer q1, not a number"),
        ("def mine(*_): return 'yes'", "checks/mine.py, mine: it gave 'yes' for answer q1, not a number from 0 to 1"),
        ("def mine(answer): return 1", "checks/mine.py, mine: it failed on answer q1 (TypeError: mine() takes 1"),
    ],
)
def test_what_is_wrong_with_a_function_is_told_in_one_line(mine: Path, text: str | None, line: str) -> None:
    if text is not None:
        mine.write_text(text)
    with pytest.raises(UserError) as told:
        found("Paris", **FUNCTION)
    assert str(told.value).startswith(line)
    assert "\n" not in str(told.value)


def test_a_question_s_own_checks_are_passed_in_part() -> None:
    asked = question(
        checks=[
            {"kind": "contains", "texts": ["Paris"]},
            {"kind": "words", "at_most": 1},
            {"kind": "instruction", "id": "punctuation:no_comma", "kwargs": {}},
        ]
    )
    assert found("Paris", asked, kind="of_question") == (1, "all 2 pass")
    assert found("It is Paris", asked, kind="of_question") == (0.5, "words: 3 words, more than 1")


def test_sacrebleu_s_range_is_brought_to_that_of_the_others() -> None:
    asked = question("the cat sat on the mat", checks=[{"kind": "chrf"}])
    assert found("the cat sat on the mat", asked, kind="of_question").value == 1


def test_a_question_without_checks_gives_no_score_and_says_so() -> None:
    assert found("Paris", kind="of_question") == (None, "the question has no checks of its own")
    asked = question(None, checks=[{"kind": "exact_match"}])
    assert found("Paris", asked, kind="of_question") == (None, "exact_match: the question has no reference")
