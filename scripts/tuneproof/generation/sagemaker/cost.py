"""What a job may cost: an estimate before it starts, its longest run, and the bill afterwards."""

from collections.abc import Sequence

from tuneproof.common.errors import UserError
from tuneproof.generation.sagemaker.work import Size
from tuneproof.settings.execution import SageMaker

SECONDS_PER_HOUR = 3600


def dearest_price(settings: SageMaker, instance_types: Sequence[str]) -> float | None:
    """USD per hour of the dearest type, None where one of them has no known price."""
    prices = [settings.prices_usd_per_hour.get(name) for name in instance_types]
    known = [price for price in prices if price is not None]
    return max(known) if len(known) == len(prices) else None


def longest_run_seconds(settings: SageMaker, instance_types: Sequence[str]) -> int:
    """How long AWS may let the job run. Raises a UserError where a cap in USD needs a price that is not known."""
    if settings.max_cost_usd is None:
        return settings.max_runtime_seconds
    price = dearest_price(settings, instance_types)
    if price is None:
        missing = [name for name in instance_types if name not in settings.prices_usd_per_hour]
        remedy = "add it to execution.sagemaker.prices_usd_per_hour"
        raise UserError("execution.sagemaker.max_cost_usd", f"the price of {', '.join(missing)} is not known", remedy)
    seconds = int(settings.max_cost_usd / price * SECONDS_PER_HOUR)
    if seconds < 60 * settings.assumed_startup_minutes:
        found = f"at {price:g} USD an hour it allows {seconds} s, which is less than the assumed start-up"
        raise UserError(
            "execution.sagemaker.max_cost_usd", found, "raise it, or lower execution.sagemaker.assumed_startup_minutes"
        )
    return min(settings.max_runtime_seconds, seconds)


def estimate(settings: SageMaker, sizes: Sequence[Size], instance_types: Sequence[str]) -> str:
    """What the job is thought to take, from the assumptions in the settings, in words."""
    rows = sum(size.rows for size in sizes)
    assumed = settings.assumed_tokens_per_answer
    answer_tokens = sum(size.rows * min(assumed, size.most_answer_tokens) for size in sizes)
    prompt_tokens = sum(size.prompt_tokens for size in sizes)
    hours = (
        settings.assumed_startup_minutes / 60 + answer_tokens / settings.assumed_tokens_per_second / SECONDS_PER_HOUR
    )
    price = dearest_price(settings, instance_types)
    cost = f", {cost_words(hours, price)}" if price else ", at a price that is not known"
    return (
        f"{rows} rows on {' or '.join(instance_types)}, {prompt_tokens:,} prompt tokens and about "
        f"{answer_tokens:,} answer tokens; an estimate from assumptions: {hours:.1f} h{cost}"
    )


def bill(settings: SageMaker, instance_type: str, seconds: int) -> str:
    """What the job took, in words; the cost where the price is known."""
    price = settings.prices_usd_per_hour.get(instance_type)
    cost = f", {cost_words(seconds / SECONDS_PER_HOUR, price)}" if price else ""
    return f"billed {seconds} s on {instance_type}{cost}"


def cost_words(hours: float, price: float) -> str:
    """A cost and the price that it was reckoned with."""
    return f"{hours * price:.2f} USD at {price:g} USD an hour"
