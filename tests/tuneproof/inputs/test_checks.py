from typing import Any

import pytest

from tuneproof.common.errors import UserError
from tuneproof.inputs.checks import check_columns, checks_of
from tuneproof.inputs.questions import read_questions
from tuneproof.records.files import rows_text
from tuneproof.settings.inputs import Questions

CONTAINS = {"kind": "contains", "texts": ["Paris"]}


@pytest.mark.parametrize("value", [[CONTAINS], '[{"kind": "contains", "texts": ["Paris"]}]'])
def test_a_question_s_checks_are_a_list_or_one_written_as_json(value: Any) -> None:
    assert checks_of("row 1", {"own": value}, "own") == [CONTAINS]


@pytest.mark.parametrize("value", [None, "", " ", []])
def test_a_question_without_checks_has_none(value: Any) -> None:
    assert checks_of("row 1", {"own": value}, "own") is None
    assert checks_of("row 1", {"own": value}, None) is None


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("contains Paris", "row 1, own: it holds no list; write a list of checks"),
        ({"kind": "json"}, "row 1, own: it holds no list"),
        ([{"kind": "jsn"}], "row 1, own: there is no kind 'jsn' here; did you mean 'json'?; mend the check"),
        ([{"kind": "python", "path": "checks/a.py", "function": "f"}], "row 1, own: there is no kind 'python' here"),
        (["json"], "row 1, own: a check is a section with a kind"),
    ],
)
def test_what_is_wrong_with_a_question_s_checks_is_said_with_its_row(value: Any, line: str) -> None:
    with pytest.raises(UserError) as told:
        checks_of("row 1", {"own": value}, "own")
    assert str(told.value).startswith(line)


def test_ifeval_s_two_columns_are_read_together() -> None:
    assert check_columns("instruction_id_list") == ["instruction_id_list", "kwargs"]
    row = {
        "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [{"num_words": None}, {"num_words": 300, "relation": "at least", "letter": None}],
    }
    assert checks_of("row 1", row, "instruction_id_list") == [
        {"kind": "instruction", "id": "punctuation:no_comma", "kwargs": {}},
        {
            "kind": "instruction",
            "id": "length_constraints:number_words",
            "kwargs": {"num_words": 300, "relation": "at least"},
        },
    ]


@pytest.mark.parametrize("arguments", [[], [{}], [None, {}], "{}"])
def test_instructions_and_their_arguments_are_of_one_number(arguments: Any) -> None:
    with pytest.raises(UserError, match="row 1, "):
        checks_of("row 1", {"instruction_id_list": ["a", "b"], "kwargs": arguments}, "instruction_id_list")


def test_a_column_of_checks_changes_no_id_and_questions_without_one_stay_as_they_were() -> None:
    rows: list[dict[str, Any]] = [
        {"instruction": "Capital?", "output": "Paris", "own": [CONTAINS]},
        {"instruction": "Lake?", "output": None},
    ]
    plain = read_questions("file", rows, Questions(dataset="d"))
    checked = read_questions("file", rows, Questions(dataset="d", checks_column="own"))
    assert [one.id for one in plain] == [one.id for one in checked]
    assert "checks" not in rows_text(plain)
    assert rows_text(plain).splitlines()[1] == rows_text(checked).splitlines()[1]
    assert checked[0].checks == [CONTAINS]
