from pathlib import Path

import pytest

from tests.tuneproof.generation.engines.workspaces import make_workspace
from tuneproof.common.errors import UserError
from tuneproof.generation.jobs import Request
from tuneproof.generation.sagemaker.cost import bill, estimate, longest_run_seconds
from tuneproof.generation.sagemaker.upload import generation
from tuneproof.settings.execution import SageMaker

PRICES = {"ml.g5.2xlarge": 1.5, "ml.g6.2xlarge": 1.2}
TYPES = tuple(PRICES)


def test_a_cap_in_usd_ends_the_job_earlier_by_the_dearest_price() -> None:
    settings = SageMaker(prices_usd_per_hour=PRICES, max_cost_usd=3.0)
    assert longest_run_seconds(settings, TYPES) == 7200
    assert longest_run_seconds(settings, ("ml.g6.2xlarge",)) == 9000
    assert longest_run_seconds(settings.model_copy(update={"max_cost_usd": 300.0}), TYPES) == 14_400
    assert longest_run_seconds(settings.model_copy(update={"max_cost_usd": None}), ("unknown",)) == 14_400


def test_a_cap_that_cannot_be_kept_is_refused() -> None:
    settings = SageMaker(prices_usd_per_hour=PRICES, max_cost_usd=3.0)
    with pytest.raises(UserError, match=r"the price of ml\.p5\.48xlarge is not known"):
        longest_run_seconds(settings, (*TYPES, "ml.p5.48xlarge"))
    with pytest.raises(UserError, match="less than the assumed start-up"):
        longest_run_seconds(settings.model_copy(update={"max_cost_usd": 0.1}), TYPES)


def test_the_estimate_is_that_of_the_stated_assumptions(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "workspace")
    job = workspace.job()  # answers of 24 tokens at most
    requests = [Request(id=str(number), sample=0, prompt="", key=str(number), seed=0) for number in range(3000)]
    size = generation(job, workspace.settings, [], requests).size
    sizes = [size(request) for request in requests]
    settings = SageMaker(prices_usd_per_hour=PRICES, assumed_startup_minutes=30.0, assumed_tokens_per_second=20.0)
    words = estimate(settings, sizes, TYPES)
    assert words == (
        "3000 rows on ml.g5.2xlarge or ml.g6.2xlarge, 0 prompt tokens and about 72,000 answer tokens; "
        "an estimate from assumptions: 1.5 h, 2.25 USD at 1.5 USD an hour"
    )
    assert estimate(settings, sizes, ("unknown",)).endswith("1.5 h, at a price that is not known")


def test_the_bill_is_in_seconds_and_in_usd_where_the_price_is_known() -> None:
    settings = SageMaker(prices_usd_per_hour=PRICES)
    assert bill(settings, "ml.g5.2xlarge", 1200) == "billed 1200 s on ml.g5.2xlarge, 0.50 USD at 1.5 USD an hour"
    assert bill(settings, "unknown", 1200) == "billed 1200 s on unknown"
