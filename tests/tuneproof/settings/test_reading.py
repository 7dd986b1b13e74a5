"""params.yaml as the scripts read it against the same text as DVC reads it."""

import math
from typing import Any

import pytest
import yaml
from dvc.utils.serialize import loads_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from tuneproof.settings.reading import parse_settings, settings_text

SCALARS = [
    "1e5", "1E5", "1e-5", "1.e5", "1.5e5", ".5", ".5e3", ".5e+3", "-.5", "+1.5", "1_000", "1_000.5", "1.", "-1e3", "1e",
    "010", "-010", "08", "0o10", "-0o17", "0o8", "0x1F", "0X1F", "0b101", "0b2", "0", "-0", "+7", "00", "0_1",
    "_1", "1__0", "190:20:30", "1:30", "190:20:30.15", "12:30:45",
    "on", "On", "off", "yes", "Yes", "no", "NO", "y", "n", "Y", "true", "True", "TRUE", "tRUE", "false", "False",
    "null", "Null", "NULL", "~", "", "nULL", "None", ".inf", "-.INF", "+.inf", ".nan", ".NaN", "-.nan", "inf", "nan",
    "2024-1-1", "20240101", "1.2.3", "v1.0", "-", "+", ".", "..", "<<", "a: b", "'on'", '"1e5"', "[on, 1e5, 010]",
    "{yes: 1, no: 2}", "0xg", "1e5x", "1,000", "1 000", "1e+5", "1e+", "--1", "+-1", "0.1.2", "1_e5", "._5",
]  # fmt: skip
TEXTS = [
    "a: 1\nb: {c: 2}\n", "on: 1\noff: 2\n", "1: a\n2.5: b\n", "010: a\n", "yes: a\nno: b\n", "true: a\n", "~: a\n",
    "x: &one {a: 1, b: 2}\ny: {<<: *one, b: 3}\n", "x: &one {a: 1}\ny: &two {b: 2}\nz: {<<: [*one, *two], a: 9}\n",
    "x: &one {a: 1}\ny: &two {a: 2}\nz: {<<: [*one, *two]}\n", "a: >\n  b\n  c\n", "a: |\n  b\n\n  c\n", "a: b\n c\n",
    "- 1\n- 1e3\n- on\n", "a: b # c\n", "? a\n: b\n", "a:\n- 1\n- 2\n", "--- {a: 1}\n", "a: 'it''s'\n",
    'a: {"b":[1]}\n', 'a: "\\u00fc\\x41"\n',
]  # fmt: skip
REFUSED_BY_BOTH = [
    "a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "1: a\n1.0: b\n", "1: a\ntrue: b\n", "a: =\n", "a: [\n", "a: 1\n---\nb: 2\n",
    "x: &one {a: 1}\ny: &two {b: 2}\nz: {<<: *one, <<: *two}\n", "a: 0b_\n", "a: -_\n", "a: ._\n", "a: @b\n",
    "a: `b`\n", "a:\tb: c\n",
]  # fmt: skip
REFUSED_HERE = [
    ("a: 2024-01-01\n", "2024-01-01 is a date to YAML, put it in quotes"),
    ("a: 2024-01-01 10:00:00 +2\n", "is a date to YAML"),
    ("a: 2024-99-99\n", "is a date to YAML"),
    ("a: !!str 1\n", "the tag tag:yaml.org,2002:str is not read here"),
    ("a: !!bool y\n", "the tag tag:yaml.org,2002:bool is not read here"),
    ("a: !!binary aGk=\n", "the tag tag:yaml.org,2002:binary is not read here"),
    ("a: [b:]\n", "a space is missing after `:`"),
    ("a: {b:[1]}\n", "a space is missing after `:`"),
    ("%YAML 1.1\n---\na: on\n", "the line %YAML is not read here"),
]


def same(ours: Any, dvcs: Any) -> bool:
    """Whether two values are equal, in the types of their parts too."""
    if isinstance(ours, dict) and isinstance(dvcs, dict):
        return len(ours) == len(dvcs) and all(
            same(*keys) and same(ours[keys[0]], dvcs[keys[1]]) for keys in zip(ours, dvcs, strict=True)
        )
    if isinstance(ours, list) and isinstance(dvcs, list):
        return len(ours) == len(dvcs) and all(map(same, ours, dvcs))
    if isinstance(ours, float) and isinstance(dvcs, float) and math.isnan(ours):
        return math.isnan(dvcs)
    return type(ours) is type(dvcs) and bool(ours == dvcs)


def check_alike(text: str) -> None:
    """What is read here is what DVC reads."""
    try:
        ours = parse_settings(text)
    except (yaml.YAMLError, ValueError):
        return
    assert same(ours, loads_yaml(text)), (text, ours, loads_yaml(text))


@pytest.mark.parametrize("scalar", SCALARS)
def test_a_plain_scalar_is_to_the_scripts_what_it_is_to_dvc(scalar: str) -> None:
    text = f"a: {scalar}\n"
    try:
        dvcs = loads_yaml(text)
    except YAMLError:
        with pytest.raises(yaml.YAMLError):
            parse_settings(text)
    else:
        assert same(parse_settings(text), dvcs), (parse_settings(text), dvcs)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_to_the_scripts_what_it_is_to_dvc(text: str) -> None:
    assert same(parse_settings(text), loads_yaml(text)), (parse_settings(text), loads_yaml(text))


@pytest.mark.parametrize("text", REFUSED_BY_BOTH)
def test_what_dvc_does_not_read_is_not_read_by_the_scripts(text: str) -> None:
    with pytest.raises((YAMLError, ValueError)):
        loads_yaml(text)
    with pytest.raises((yaml.YAMLError, ValueError)):
        parse_settings(text)


@pytest.mark.parametrize(("text", "found"), REFUSED_HERE)
def test_what_the_readers_could_disagree_on_is_refused(text: str, found: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        parse_settings(text)
    assert found in str(caught.value.problem)


NUMBERLIKE = st.text("0123456789+-._eExobtrufalsnyYNO:~ ", max_size=12)


@given(NUMBERLIKE)
@settings(derandomize=True, max_examples=2000)
def test_whatever_looks_like_a_number_is_read_as_dvc_reads_it(scalar: str) -> None:
    check_alike(f"a: {scalar}\n")
    check_alike(f"[{scalar}]\n")


@given(st.text(max_size=20))
@settings(derandomize=True, max_examples=1000)
def test_whatever_text_is_read_is_read_as_dvc_reads_it(text: str) -> None:
    check_alike(f"a: {text}\n")
    check_alike(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NUMBERLIKE | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NUMBERLIKE | st.text(max_size=5), VALUES, max_size=4))
@settings(derandomize=True, max_examples=500)
def test_settings_that_were_written_are_read_as_they_were_by_both(values: dict[str, Any]) -> None:
    text = settings_text(values)
    assert same(parse_settings(text), values)
    assert same(loads_yaml(text), values)
