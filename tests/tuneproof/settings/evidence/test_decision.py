"""The section decision: a plan that names what exists, once."""

from typing import Any

import pytest
from pydantic import ValidationError

from tuneproof.settings.evidence.decision import Decision
from tuneproof.settings.params import Params
from tuneproof.settings.worlds import embedded_params

SCALE = {1: "No.", 2: "Yes."}


def params(decision: dict[str, Any], *criteria: str, compare: bool = True) -> Params:
    names = criteria or ("accuracy", "style")
    return Params.model_validate({
        "baseline": "base", "questions": {"dataset": "lab/data"},
        "models": {name: {"id": f"lab/{name}", "prompt": "chat"} for name in ("base", "sft")},
        "judge": {"criteria": {name: {"question": "Good?", "scale": SCALE} for name in names}},
        "compare": {"enabled": compare, "criteria": "The better one."}, "decision": decision,
    })  # fmt: skip


def test_without_a_claim_or_a_guard_there_is_no_plan() -> None:
    assert not Decision().is_plan
    assert Decision.model_validate({"improves": ["a"]}).is_plan
    assert Decision.model_validate({"must_not_drop": {"a": 0.1}}).is_plan


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ({"improves": ["acuracy"]}, "improves: no judge, check, benchmark or comparison gives scores for 'acuracy'"),
        ({"must_not_drop": {"valid_json": 0.1}}, "decision.must_not_drop: no judge, check, benchmark or comparison"),
        ({"improves": ["accuracy", "accuracy"]}, "'accuracy' is named twice"),
        ({"improves": ["collapses"]}, "'collapses' can only be a guard"),
        ({"improves": []}, "at least 1 item"),
        ({"in_order": True}, "an order needs the criteria"),
        ({"must_not_drop": {"style": -0.1}}, "greater than or equal to 0"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(decision: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        params(decision)


def test_collapses_and_the_win_rate_can_be_named() -> None:
    assert params({"improves": ["win_rate"], "must_not_drop": {"collapses": 0.02, "style": 0.1}}).decision.is_plan
    with pytest.raises(ValidationError, match="no judge, check, benchmark or comparison gives scores for 'win_rate'"):
        params({"improves": ["win_rate"]}, compare=False)


@pytest.mark.parametrize("name", ["ship", "collapses"])
def test_no_criterion_has_the_name_of_a_metric_or_a_guard(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot name a criterion"):
        params({}, name)


def test_the_embedded_world_keeps_of_the_plan_what_it_knows() -> None:
    mine = params(
        {"improves": ["depth", "accuracy"], "must_not_drop": {"depth": 0.1, "style": 0.2}}, "depth", "accuracy", "style"
    )
    embedded = embedded_params(mine).decision
    assert (embedded.improves, embedded.must_not_drop) == (("accuracy",), {"style": 0.2})
    other = embedded_params(params({"improves": ["depth"], "in_order": True}, "depth")).decision
    assert (other.improves, other.in_order) == (None, False)


def test_the_key_follows_every_part_of_the_plan() -> None:
    plans: list[dict[str, Any]] = [
        {"improves": ["a", "b"]}, {"improves": ["b", "a"]}, {"improves": ["a", "b"], "alpha": 0.1},
        {"improves": ["a", "b"], "must_not_drop": {"a": 0.1}}, {"improves": ["a", "b"], "min_questions": 40},
    ]  # fmt: skip
    assert len({Decision.model_validate(plan).key for plan in plans}) == len(plans)
    assert Decision.model_validate(plans[0]).key == Decision.model_validate(dict(plans[0])).key
