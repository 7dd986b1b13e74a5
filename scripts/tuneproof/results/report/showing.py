"""How the page writes values, names and numbers, and where a number lies on an axis."""

import json
import math
import re
from collections.abc import Sequence

from markupsafe import Markup

from tuneproof.results.details.model import Details
from tuneproof.results.report.browser.texts import visible
from tuneproof.results.words import figures

LONGEST_NAME = 200
NOT_KNOWN = "\N{EN DASH}"
SEPARATORS = re.compile(r"([/_]+|\.(?=[a-zA-Z]))")
NEGATIVE = re.compile(r"(?<!\w)-(?=[\d.])")
NICE_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


def shown(value: object) -> object:
    """A value as the page prints it: nothing invisible in a text, a dash for what is not known."""
    if value is None:
        return NOT_KNOWN
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def short(text: str) -> str:
    """A name or reason from outside, in one line of a bearable length."""
    return one_line(text, LONGEST_NAME)


def one_line(text: str, longest: int) -> str:
    """A text as one line of at most so many characters, and a mark where it goes on."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[:longest].rstrip()}…"


def breakable(text: str) -> Markup:
    """A path or dotted name that may break after its slashes and dots rather than within a word."""
    return Markup("").join(
        part if place % 2 == 0 else Markup("{}<wbr>").format(part)
        for place, part in enumerate(SEPARATORS.split(visible(text)))
    )


def quoted(text: str) -> str:
    """A text whose ends and line breaks can be seen."""
    return json.dumps(text, ensure_ascii=False)


def minus(numbers: str) -> str:
    """Numbers with real minus signs, hyphens of words left alone, and a dash where there is none."""
    return NOT_KNOWN if numbers == figures.NOTHING else NEGATIVE.sub("\N{MINUS SIGN}", numbers)


def cell(numbers: str) -> str:
    """Numbers of a table, which on a phone may break before an interval and not within it."""
    return minus(numbers).replace(", ", ",\N{NO-BREAK SPACE}")


def position(value: float, low: float, high: float) -> str:
    """Where a value lies on an axis, in per cent of its length; what lies outside is put at its end."""
    return f"{100 * min(max((value - low) / (high - low), 0), 1):.2f}%"


def gain_limit(models: Sequence[Details], criterion: str) -> float:
    """Where the axis of gains ends on both sides: a round number just beyond every interval."""
    found = [details.criteria[criterion] for details in models]
    limits = [abs(limit) for one in found for limit in (one.gain_low, one.gain_high) if limit is not None]
    largest = max(limits, default=0) or 1
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in NICE_STEPS if step * power >= largest)
