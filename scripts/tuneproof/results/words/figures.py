"""Numbers and names as they are written, so that no rounding contradicts a verdict."""

import math
from collections.abc import Iterable, Sequence

from tuneproof.results.details.criteria import CriterionDetails
from tuneproof.results.details.model import WinRateDetails

NOTHING = "-"
LONGEST_NAME = 40


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
    """A number with its limits, where it has any. A gain's get as many decimals as they need not to be shown as 0."""
    sign = "+" if signed else ""
    if value is None:
        return NOTHING
    if low is None or high is None:
        return f"{value:{sign}.2f}"
    decimals = shown_decimals(low, high) if signed else 2
    return f"{value:{sign}.{decimals}f} [{low:{sign}.{decimals}f}, {high:{sign}.{decimals}f}]"


def win_rate_text(rate: WinRateDetails) -> str:
    """A win rate with its interval: `56% [48%, 64%]`."""
    if rate.win_rate is None or rate.low is None or rate.high is None:
        return NOTHING
    digits = shown_decimals(rate.low - 0.5, rate.high - 0.5) - 2  # of per cent, so that no limit is rounded to one half
    return f"{rate.win_rate:.{digits}%} [{rate.low:.{digits}%}, {rate.high:.{digits}%}]"


def equal_length_text(rate: WinRateDetails) -> str:
    """What the win rate would be had both answers been equally long, with what was found of length.

    Without a rate at equal length only why to doubt the win rate; empty where there is nothing to say.
    """
    found = (rate.length_controlled, rate.length_controlled_low, rate.length_controlled_high)
    if None in found:
        return rate.caution or ""
    text = f"at equal length {still_clause(rate)}{'{:.0%} [{:.0%}, {:.0%}]'.format(*found)}"
    if not rate.length_controlled_caution:
        return f"{text}; {rate.caution}" if rate.caution else text
    lengths, _, explains = rate.length_controlled_caution.partition(", so ")
    if length_explains_nothing(rate):
        return f"{lengths}, but {text}, so that this does not explain it"
    return f"{lengths}; {text}" + (f", so that {explains}" if explains else "")


def still_clause(rate: WinRateDetails) -> str:
    """That the verdict on a win rate is the same at equal length; empty where it is not, or there is none."""
    if rate.verdict == "better" and (rate.length_controlled_low or 0) > 0.5:
        return "it still wins "
    high = rate.length_controlled_high
    return "it still loses: " if rate.verdict == "worse" and high is not None and high < 0.5 else ""


def length_explains_nothing(rate: WinRateDetails) -> bool:
    """Whether a win rate keeps its verdict at equal length, and is as far from one half as before."""
    apart = abs((rate.length_controlled or 0) - 0.5) >= abs((rate.win_rate or 0) - 0.5)
    return bool(still_clause(rate)) and apart


def share_text(share: float) -> str:
    """A share in per cent; only what is complete reads 100%."""
    return "100%" if share == 1 else f"{min(share, 0.999):.1%}"


def decimals(value: float | None) -> str:
    """A number to two decimals."""
    return NOTHING if value is None else f"{value:.2f}"


def score_forms(scores: Iterable[tuple[str, float]]) -> dict[str, str]:
    """How scores that stand together are written, by criterion: whole ones as such, else all with two decimals.

    >>> score_forms([("style", 2.0), ("accuracy", 1.0), ("accuracy", 1.25)])
    {'style': '%.0f', 'accuracy': '%.2f'}
    """
    whole: dict[str, bool] = {}
    for name, score in scores:
        whole[name] = whole.get(name, True) and float(score).is_integer()
    return {name: "%.0f" if is_whole else "%.2f" for name, is_whole in whole.items()}


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
