"""How weights that hold NaN, or that a number format cannot hold, show: in the logits, or as one token over and over.

An engine that takes such logits for numbers picks the same token each time, often one that is shown as no text at all.
"""

from collections.abc import Sequence

from tuneproof.common.errors import UserError
from tuneproof.generation.jobs import Job

SHORTEST_RUN_TOKENS = 16  # shorter answers may well be one token
FEWEST_ANSWERS = 3  # one or two may well be a small model that goes round in circles
EARLY_ANSWERS = 32  # if so many are one repeated token and nothing else came, the rest need not be waited for
REMEDIES = {
    "vllm": "try generate.vllm.dtype: bfloat16 (float32 where that is not enough), and check the checkpoint for NaN",
    "transformers": "try generate.transformers.dtype: float32, and check the checkpoint for NaN",
    "embedded": "restore the model's folder from Git",
}


def repeated_token(token_ids: Sequence[int], finish_reason: str) -> int | None:
    """The token that an answer repeats until its limit, None for any other answer."""
    if finish_reason != "length" or len(token_ids) < SHORTEST_RUN_TOKENS or len(set(token_ids)) > 1:
        return None
    return token_ids[0]


def not_finite(job: Job) -> UserError:
    """The error of logits that are no numbers."""
    return error_of(job, "its logits are not finite numbers (NaN or infinity)")


def require_no_runs(job: Job, runs: int, answers: int) -> None:
    """Raises a UserError where most answers are one and the same token up to the limit."""
    if runs >= FEWEST_ANSWERS and 2 * runs > answers:
        found = f"{runs} of {answers} answers are one and the same token up to the limit"
        raise error_of(job, f"{found}, as where its logits are no numbers (NaN)")


def error_of(job: Job, found: str) -> UserError:
    """The error with what to try for the model's engine."""
    remedy = REMEDIES.get(job.resolved.engine, "check the model")
    return UserError(f"model {job.resolved.model}", found, remedy)
