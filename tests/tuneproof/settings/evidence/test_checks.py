from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.conftest import ROOT
from tuneproof.settings.base import first_problem
from tuneproof.settings.evidence.checks import KINDS, KINDS_IN_DATASETS, Checks
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import EMBEDDED_CHECKS, EMBEDDED_CRITERIA


def problem(**check: Any) -> str:
    """What is wrong with a section of one check."""
    with pytest.raises(ValidationError) as told:
        Checks.model_validate({"mine": check})
    return ": ".join(first_problem(told.value))


@pytest.mark.parametrize(
    ("check", "line"),
    [
        ({}, "mine: a check is a section with a kind, such as {kind: json}"),
        ({"kind": "jsn"}, "mine: there is no kind 'jsn' here; did you mean 'json'?"),
        ({"kind": "words", "at_lest": 3}, "mine: there is no setting 'at_lest'; did you mean 'at_least'?"),
        ({"kind": "json", "schma": {}}, "mine: there is no setting 'schma'; did you mean 'schema'?"),
        ({"kind": "words"}, "mine: set at_least, at_most, or both"),
        ({"kind": "words", "at_least": 3, "at_most": 2}, "mine: at_least is 3 and at_most 2: no answer can be both"),
        ({"kind": "words", "at_most": "3"}, "mine: at_most: input should be a valid integer"),
        ({"kind": "json", "schema": {"type": "objct"}}, "mine: schema: it is no JSON Schema: 'objct' is not valid"),
        ({"kind": "json", "schema": 3}, "mine: schema: a JSON Schema is an object, such as"),
        ({"kind": "regex", "pattern": "("}, "mine: pattern: it is no regular expression: missing )"),
        ({"kind": "contains", "texts": []}, "mine: texts: tuple should have at least 1 item"),
        ({"kind": "language", "language": "English"}, "mine: language: string should match pattern"),
        ({"kind": "python", "path": "mine.py", "function": "f"}, "mine: path: name a file of the folder checks"),
        ({"kind": "python", "path": "checks/../mine.py", "function": "f"}, "mine: path: name a file of the folder"),
        ({"kind": "python", "path": "checks/a.py", "function": "f", "low": 1}, "mine: low is 1 and high 1; low must"),
    ],
)
def test_what_is_wrong_with_a_check_is_said_at_its_place(check: dict[str, Any], line: str) -> None:
    assert problem(**check).startswith(line)


@pytest.mark.parametrize("name", ["gain", "a.b", "Short", "1st", "", "win_rate"])
def test_a_name_that_is_no_column_of_the_metrics_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot name a criterion"):
        Checks.model_validate({name: {"kind": "json"}})


def test_a_name_that_the_judge_has_already_is_refused() -> None:
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text())
    with pytest.raises(ValidationError) as told:
        Params.model_validate(shipped | {"check": {"style": {"kind": "json"}}})
    assert "check.style: judge.criteria has this name already; rename one of the two" in str(told.value)


def test_every_check_declares_its_range_and_what_to_beware_of() -> None:
    own = {"kind": "python", "path": "checks/a.py", "function": "f", "low": -1.0, "high": 5.0}
    checks = Checks.model_validate({"a": {"kind": "json"}, "b": {"kind": "bleu"}, "c": {"kind": "rougeL"}, "d": own})
    assert checks.ranges == {"a": (0, 1), "b": (0, 100), "c": (0, 1), "d": (-1, 5)}
    assert set(checks.cautions) == {"b", "c"}


def test_checks_cannot_change_and_can_be_keys() -> None:
    section = {"a": {"kind": "json", "schema": {"required": ["b"]}}, "c": {"kind": "bleu"}}
    checks = Checks.model_validate(section)
    assert len({checks.root["a"], Checks.model_validate(section).root["a"]}) == 1
    assert checks.model_dump()["c"] == {"kind": "bleu"}
    with pytest.raises(ValidationError):
        checks.root["a"].allow_fence = True  # type: ignore[misc, union-attr]


def test_a_dataset_may_not_name_code() -> None:
    assert set(KINDS) - set(KINDS_IN_DATASETS) == {"ifeval", "of_question", "python"}


def test_the_real_world_has_no_checks_and_the_embedded_one_has_a_few_that_need_no_further_package() -> None:
    shipped = Params.model_validate(yaml.safe_load((ROOT / "params.yaml").read_text()))
    assert shipped.check.root == {}
    assert len(EMBEDDED_CHECKS.root) == 3
    assert not [package for check in EMBEDDED_CHECKS.root.values() for package in check.packages]
    assert not set(EMBEDDED_CHECKS.root) & set(EMBEDDED_CRITERIA)


def test_every_kind_stands_in_the_documentation() -> None:
    documented = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in documented] == []
