from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.own_settings import shipped
from tuneproof.settings.execution import SageMaker

TOKEN = "hf_abcdefghijklmnopqrstuvwxyz012345"


def test_the_shipped_settings_are_the_defaults_and_the_prices() -> None:
    settings = SageMaker.model_validate(yaml.safe_load(shipped("params.yaml"))["execution"]["sagemaker"])
    assert settings.model_copy(update={"prices_usd_per_hour": {}}) == SageMaker()
    assert set(settings.prices_usd_per_hour) == set(settings.instance_types)


@pytest.mark.parametrize("name", ["hf_token", "team/hub_token", "arn:aws:secretsmanager:us-east-1:1:secret:hub-a1b2C3"])
def test_a_secret_is_named(name: str) -> None:
    assert SageMaker(hf_token_secret=name).hf_token_secret == name


@pytest.mark.parametrize("pasted", [TOKEN, "sk-proj-1234", "AKIAIOSFODNN7EXAMPLE", "two words", ""])
def test_a_token_in_the_place_of_its_name_is_refused_without_being_shown(pasted: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SageMaker(hf_token_secret=pasted)
    assert "never the token itself" in str(refused.value)
    assert not pasted or pasted not in str(refused.value)


def test_a_slash_at_the_end_of_the_prefix_is_dropped() -> None:
    assert SageMaker(s3_prefix="s3://a-bucket/jobs/").s3_prefix == "s3://a-bucket/jobs"
    assert SageMaker(s3_prefix="s3://a-bucket/").s3_prefix == "s3://a-bucket"


@pytest.mark.parametrize(
    "settings",
    [
        {"s3_prefix": "a-bucket/jobs"}, {"s3_prefix": "s3://B/jobs"}, {"instance_types": []},
        {"instance_types": list("abcdef")}, {"max_runtime_seconds": 0}, {"max_runtime_seconds": 777_601},
        {"role": "tuneproof"}, {"subnets": ["subnet-1"]}, {"security_group_ids": ["sg-1"]},
        {"instance_types": ["ml.g5.2xlarge"] * 2}, {"max_cost_usd": 0.0},
        {"on_interrupt": "ask"}, {"poll_seconds": 0.0}, {"hf_token": "x"},
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SageMaker(**settings)
