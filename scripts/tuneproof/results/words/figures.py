"""Numbers and names as they are written, so that no rounding contradicts a verdict."""

import math
from collections.abc import Sequence

from tuneproof.results.details.criteria import CriterionDetails
from tuneproof.results.details.model import WinRateDetails

NOTHING = "-"
LONGEST_NAME = 40
MAY_EXPLAIN = "may explain a part"  # as the caution about length says of it


def mean_text(criterion: CriterionDetails) -> str:
    """A mean with its interval: `2.27 [2.10, 2.44]`."""
    return interval_text(criterion.mean, criterion.low, criterion.high)


def gain_text(criterion: CriterionDetails) -> str:
    """A gain with its interval: `+0.21 [+0.05, +0.37]`."""
    return interval_text(criterion.gain, criterion.gain_low, criterion.gain_high, signed=True)


def yes_gain_text(criterion: CriterionDetails) -> str:
    """A gain on a yes/no criterion with its interval, as a change in the share of yes: `yes +12% [+2%, +22%]`."""
    if criterion.gain is None or criterion.gain_low is None or criterion.gain_high is None:
        return NOTHING
    digits = (
        shown_decimals(criterion.gain_low, criterion.gain_high) - 2
    )  # of per cent, so that no limit is rounded to 0
    return f"yes {criterion.gain:+.{digits}%} [{criterion.gain_low:+.{digits}%}, {criterion.gain_high:+.{digits}%}]"


def interval_text(value: float | None, low: float | None, high: float | None, signed: bool = False) -> str:
    """A number with its limits. A gain's limits get as many decimals as they need not to be shown as 0."""
    if value is None or low is None or high is None:
        return NOTHING
    decimals = shown_decimals(low, high) if signed else 2
    sign = "+" if signed else ""
    return f"{value:{sign}.{decimals}f} [{low:{sign}.{decimals}f}, {high:{sign}.{decimals}f}]"


def win_rate_text(rate: WinRateDetails) -> str:
    """A win rate with its interval: `56% [48%, 64%]`."""
    if rate.win_rate is None or rate.low is None or rate.high is None:
        return NOTHING
    digits = shown_decimals(rate.low - 0.5, rate.high - 0.5) - 2  # of per cent, so that no limit is rounded to one half
    return f"{rate.win_rate:.{digits}%} [{rate.low:.{digits}%}, {rate.high:.{digits}%}]"


def equal_length_text(rate: WinRateDetails) -> str:
    """What the win rate would be had both answers been equally long, after what was found of length.

    Length explains no part of a win rate that is as far from one half at equal length.
    Without a rate at equal length only why to doubt the win rate; empty where there is nothing to say.
    """
    found = (rate.length_controlled, rate.length_controlled_low, rate.length_controlled_high)
    if None in found:
        return rate.caution or ""
    low, high = rate.length_controlled_low or 0, rate.length_controlled_high or 0
    still = {"better": "it still wins " if low > 0.5 else "", "worse": "it still loses: " if high < 0.5 else ""}
    told = still.get(rate.verdict, "")
    text = f"at equal length {told}{'{:.0%} [{:.0%}, {:.0%}]'.format(*found)}"
    if caution := rate.length_controlled_caution:
        apart = abs((rate.length_controlled or 0) - 0.5) >= abs((rate.win_rate or 0) - 0.5)
        return f"{caution.replace(MAY_EXPLAIN, 'does not explain it') if told and apart else caution}; {text}"
    return f"{text}; {rate.caution}" if rate.caution else text


def share_text(share: float) -> str:
    """A share in per cent; only what is complete reads 100%."""
    return "100%" if share == 1 else f"{min(share, 0.999):.1%}"


def decimals(value: float | None) -> str:
    """A number to two decimals."""
    return NOTHING if value is None else f"{value:.2f}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def plain_name(name: str, longest: int = LONGEST_NAME) -> str:
    """A name as one short line: files of another revision may hold names that params.yaml would refuse."""
    return "".join(character if character.isprintable() else "?" for character in name[:longest])


def shown_decimals(low: float, high: float, at_least: int = 2) -> int:
    """Returns how many decimals the limits need: none is then shown as 0 that is not, so none contradicts a verdict."""
    nonzero = [abs(limit) for limit in (low, high) if limit != 0]
    return max([at_least, *(math.ceil(-math.log10(2 * limit)) for limit in nonzero)])
