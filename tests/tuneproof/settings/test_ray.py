from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.own_settings import shipped
from tuneproof.settings.execution import Ray, VllmExecution


def test_the_shipped_settings_are_the_defaults() -> None:
    execution = yaml.safe_load(shipped("params.yaml"))["execution"]
    assert Ray.model_validate(execution["ray"]) == Ray()
    assert execution["generate"]["vllm"]["replicas"] == VllmExecution().replicas == 1


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.5:6379", "head.example.org:6379", "[::1]:6379"])
def test_an_address_is_a_cluster_of_this_machine_or_a_head(address: str) -> None:
    assert Ray(address=address).address == address


@pytest.mark.parametrize(
    "settings",
    [
        {"address": "ray://10.0.0.5:10001"}, {"address": "10.0.0.5"}, {"address": ""}, {"address": "http://a:1"},
        {"replicas": 0}, {"replicas": "all"}, {"gpus_per_replica": -1}, {"cpus_per_replica": 0},
        {"patience_seconds": 0.0}, {"autoscaling": True}, {"autoscaling": True, "replicas": 2},
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Ray(**settings)


def test_with_autoscaling_numbers_are_needed() -> None:
    with pytest.raises(ValidationError, match="give replicas and gpus_per_replica a number"):
        Ray(autoscaling=True)
    assert Ray(autoscaling=True, replicas=8, gpus_per_replica=1).replicas == 8
