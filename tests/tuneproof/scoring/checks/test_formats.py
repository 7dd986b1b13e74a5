import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuneproof.scoring.checks.cases import found

SCHEMA = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "age": {"minimum": 0}}}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_every_json_document_is_one(document: object) -> None:
    assert found(json.dumps(document), kind="json").value == 1


@given(st.text())
def test_any_text_ends_in_a_value_and_a_reason(text: str) -> None:
    for kind in ("json", "python_parses"):
        value, reason = found(text, kind=kind)
        assert value in (0, 1)
        assert reason


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"a": Infinity}', "{} {}", "'a'", "[" * 100_000, "9" * 5_000])
def test_what_is_no_json_gets_0_with_the_reason(text: str) -> None:
    value, reason = found(text, kind="json")
    assert value == 0
    assert 0 < len(reason) < 250
    assert "\n" not in reason


def test_a_fence_around_a_document_is_a_fault_unless_it_is_allowed() -> None:
    fenced = '```json\n{"name": "Ada"}\n```'
    assert found(fenced, kind="json").value == 0
    assert found(fenced, kind="json", allow_fence=True, schema=SCHEMA).value == 1
    assert found(f"Here:\n{fenced}", kind="json", allow_fence=True).value == 0


def test_a_schema_says_where_a_document_leaves_it() -> None:
    assert found('{"name": "Ada", "age": 36}', kind="json", schema=SCHEMA).value == 1
    assert found('{"name": "Ada", "age": -1}', kind="json", schema=SCHEMA).reason.startswith("at age: -1 is less than")
    assert found("[]", kind="json", schema=SCHEMA).reason.startswith("at the top: [] is not of type")


def test_nothing_is_fetched_for_a_schema_that_refers_elsewhere() -> None:
    value, reason = found("{}", kind="json", schema={"$ref": "http://127.0.0.1:9/other.json"})
    assert value is None
    assert "which is not in it" in reason


def test_python_is_looked_for_in_fences_and_then_in_the_whole_answer() -> None:
    assert found("x = 1", kind="python_parses").value == 1
    assert found("```bash\nls -l\n```\n```python\nx = 1\n```", kind="python_parses").value == 1
    assert found("```python\nx = 1\n```\n```python\nx = \n```", kind="python_parses").value == 0
    assert found("", kind="python_parses").reason == "there is no code"
    assert found("x = '\x00'", kind="python_parses").value == 0


def test_python_code_is_never_run(tmp_path: object) -> None:
    assert found(f"open('{tmp_path}/written', 'w')", kind="python_parses").value == 1
    assert not list(tmp_path.iterdir())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("contains", "PARIS and the Seine", 1), ("contains", "Paris", 0),
        ("contains_any", "the seine", 1), ("contains_any", "Lyon", 0),
        ("not_contains", "Lyon", 1), ("not_contains", "paris", 0),
    ],
)  # fmt: skip
def test_texts_are_looked_for_as_the_kind_says(kind: str, text: str, value: int) -> None:
    assert found(text, kind=kind, texts=["Paris", "Seine"], ignore_case=True).value == value


def test_capital_letters_count_unless_they_are_ignored() -> None:
    assert found("paris", kind="contains", texts=["Paris"]).value == 0
    assert found("dear Ada", kind="starts_with", text="Dear").value == 0
    assert found("dear Ada", kind="starts_with", text="Dear", ignore_case=True).value == 1


def test_white_space_around_an_answer_is_left_aside_at_its_edges() -> None:
    assert found("\n Yours, Ada \n", kind="ends_with", text="Yours, Ada").value == 1
    assert found("Yours, Ada.", kind="ends_with", text="Yours, Ada").value == 0


def test_a_pattern_is_found_anywhere() -> None:
    assert found("a\n1. b", kind="regex", pattern=r"(?m)^\d+\. ").value == 1
    assert found("a", kind="regex", pattern=r"\d").value == 0
