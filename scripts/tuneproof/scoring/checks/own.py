"""Checks of the user's own: functions in the folder `checks`, and checks that stand with one question."""

import json
import runpy
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.scoring.checks.finding import Finding
from tuneproof.scoring.checks.instructions import KIND
from tuneproof.settings.evidence.check_kinds import Function
from tuneproof.settings.evidence.checks import KINDS_IN_DATASETS, FromDataset, read_check

REASON_CHARACTERS = 200


def call_function(answer: str, question: str, reference: str | None, identity: str, settings: Function) -> Finding:
    """What the user's function says: `function(answer, question, reference)` gives a value, or a value and a reason.

    `identity` names the answer in an error. Raises a UserError where the function fails or leaves its range: it is the
    user's to mend, and a hole in the scores would hide it.
    """
    where, function = f"{settings.path}, {settings.function}", load_function(settings)
    try:
        said = function(answer, question, reference)
    except Exception as error:
        found = f"it failed on answer {identity} ({one_line(f'{type(error).__name__}: {error}')})"
        raise UserError(where, found, "mend the function") from None
    value, reason = said if isinstance(said, tuple) and len(said) == 2 else (said, "")
    if value is None:
        return Finding(None, one_line(reason, REASON_CHARACTERS) or "the function gave no value")
    if not isinstance(value, int | float) or not settings.low <= value <= settings.high:
        wanted = f"a number from {settings.low:g} to {settings.high:g}"
        found = f"it gave {one_line(repr(value), 60)} for answer {identity}, not {wanted}"
        raise UserError(where, found, "give such a number, None, or set low and high")
    return Finding(float(value), one_line(reason, REASON_CHARACTERS))


@lru_cache
def load_function(settings: Function) -> Callable[[str, str, str | None], Any]:
    """The function of the user's file. Raises a UserError where there is none, or the file does not run."""
    if not Path(settings.path).is_file():
        raise UserError(
            settings.path, "there is no such file", "correct the path (it is relative to the project's root)"
        )
    try:
        names = runpy.run_path(settings.path)
    except (Exception, SystemExit) as error:
        found = f"it does not run ({one_line(f'{type(error).__name__}: {error}')})"
        raise UserError(settings.path, found, "mend it") from None
    function = names.get(settings.function)
    if not callable(function):
        remedy = "define it, or correct the setting"
        raise UserError(settings.path, f"it defines no function {settings.function}", remedy)
    found_function: Callable[[str, str, str | None], Any] = function
    return found_function


def own_checks(checks: Sequence[Mapping[str, Any]], check: Callable[[FromDataset], Finding]) -> Finding:
    """The mean of the question's own checks, each brought to 0 to 1; `check` applies one of them.

    >>> from tuneproof.scoring.checks.formats import texts_present
    >>> wanted = [{"kind": "contains", "texts": ["Paris"]}, {"kind": "contains", "texts": ["Seine"]}]
    >>> own_checks(wanted, lambda settings: texts_present("Paris, on the Seine", settings))
    Finding(value=1.0, reason='all 2 pass')
    >>> own_checks(wanted, lambda settings: texts_present("Paris, on a river", settings))
    Finding(value=0.5, reason="contains: it lacks 'Seine'")
    """
    shares, reasons = list[float](), list[str]()
    for one in checks:
        if one["kind"] != KIND:
            settings = typed_check(one)
            low, high = settings.range
            value, reason = check(settings)
            if value is not None:
                shares.append((value - low) / (high - low))
            if value != high:
                reasons.append(f"{settings.kind}: {reason}")
    if not shares:
        return Finding(None, "; ".join(reasons) or "the question has no checks of its own")
    return Finding(sum(shares) / len(shares), "; ".join(reasons)[:REASON_CHARACTERS] or f"all {len(shares)} pass")


def typed_check(check: Mapping[str, Any]) -> FromDataset:
    """The settings of a check of one question; validate has read them before."""
    return read_typed(json.dumps(check, sort_keys=True))


@lru_cache(maxsize=10_000)
def read_typed(text: str) -> FromDataset:
    """As text they can be a key, so that a question's checks are read once for all of its answers."""
    settings: FromDataset = read_check(json.loads(text), KINDS_IN_DATASETS)
    return settings
