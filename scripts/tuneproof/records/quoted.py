"""The quote that this run was told: kept beside the ledger, so that it is told once and its parts can be read.

Nothing of it is in what DVC tracks. DVC starts each stage as a process of its own, so that none knows by itself what
another one said; `validate`, which begins every run, forgets it.
"""

import os
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from tuneproof.common.errors import UserError
from tuneproof.common.files import write_text
from tuneproof.common.places import project_root
from tuneproof.records.rows import Row

QUOTE_FILE = Path(".cache/quote.json")  # in the project's root


class StageQuote(Row):
    """What one stage has bought and would buy. USD are null where a price, or the longest reply, is not known."""

    in_ledger: int
    spent_usd: float | None
    to_buy: int
    about_usd: float | None
    at_most_usd: float | None  # with every further attempt, each at the most that it can cost


class Quoted(Row):
    """A whole run's quote by stage, and how its tokens are known by judge."""

    experiment: str | None
    stages: dict[str, StageQuote]
    not_in_it: list[str]  # stages whose answers were not there yet
    tokens: dict[str, str]

    def covers(self, stage: str, replies: int) -> bool:
        """Whether it told this run what a stage is about to buy."""
        told = self.stages.get(stage)
        return self.experiment == this_experiment() and told is not None and replies <= told.to_buy


def this_experiment() -> str | None:
    """DVC's name of the experiment that this process works for; experiments may run beside each other."""
    return os.environ.get("DVC_EXP_NAME")


def quote_path() -> Path:
    """Where the quote of this clone's present run lies."""
    return project_root() / QUOTE_FILE


def told_quote() -> Quoted | None:
    """The quote that was told last, None where there is none that can be read."""
    try:
        return Quoted.model_validate_json(quote_path().read_bytes())
    except (OSError, ValidationError):
        return None


def keep_quote(quote: Quoted) -> None:
    """Keeps what was told. Where it cannot be written it is told again: no run ends for it."""
    with suppress(UserError):
        write_text(quote_path(), quote.model_dump_json(indent=2) + "\n")


def forget_quote() -> None:
    """Begins a run: its first stage that buys tells what all of them will."""
    with suppress(OSError):
        quote_path().unlink(missing_ok=True)
