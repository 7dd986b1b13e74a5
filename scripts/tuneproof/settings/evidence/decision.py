"""The section decision of params.yaml: when a difference counts, and the plan by which a model ships."""

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tuneproof.settings.base import Settings, Text, as_tuple

COLLAPSES = "collapses"  # a guard on no criterion: the share of questions on which the model falls by a whole step
WIN_RATE = "win_rate"  # the criterion that the pairwise comparisons make
RESERVED_CRITERIA = {"coverage", "gain", "n", "run", "ship", "verdict", WIN_RATE, COLLAPSES}  # other metrics, guards

Units = Literal["judge", "people"]
Margin = Annotated[float, Field(ge=0)]


class Decision(Settings):
    """When a difference counts. With `improves` or `must_not_drop` it is a plan, and every model ships or does not.

    `improves` is the claim: criteria tested as one family; None stands for all of the judge's. `in_order` tests them
    one after the other, each at alpha / models, as long as all before it improved. `must_not_drop` are guards: by
    criterion the drop, in points of its scale, that must be excluded. `in_units_of` says whose scores decide: the
    judge's own, or what people would give, from the judge's scores and random labels (`statistics/corrected.py`).
    """

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    improves: Annotated[tuple[Text, ...], BeforeValidator(as_tuple), Field(min_length=1)] | None = None
    in_order: bool = False
    must_not_drop: dict[str, Margin] = Field(default_factory=dict)
    min_questions: Annotated[int, Field(ge=2)] = 30
    in_units_of: Units = Field(default="judge", exclude_if=lambda units: units == "judge")  # older plans keep their key

    @model_validator(mode="after")
    def check_names(self) -> Self:
        """A criterion is claimed once, and an order is one of criteria that are named."""
        names = self.improves or ()
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"improves: '{name[:40]}' is named twice")
        if COLLAPSES in names:
            raise ValueError(f"improves: '{COLLAPSES}' can only be a guard; name it in must_not_drop")
        if self.in_order and self.improves is None:
            raise ValueError("in_order: an order needs the criteria; name them in improves")
        return self

    def check_known(self, known: Iterable[str]) -> None:
        """Raises a ValueError for a criterion that no source of scores has."""
        names = list(known)
        for setting, chosen, others in (
            ("improves", self.improves or (), []),
            ("must_not_drop", tuple(self.must_not_drop), [COLLAPSES]),
        ):
            for name in chosen:
                if name not in (*names, *others):
                    found = f"{setting}: no judge, check, benchmark or comparison gives scores for '{name[:40]}'"
                    raise ValueError(f"{found}; known are {', '.join([*names, *others])}")

    def of_known(self, known: Iterable[str]) -> "Decision":
        """The same plan without the criteria that another world does not know."""
        names = {*known, COLLAPSES}
        improves = tuple(name for name in self.improves or () if name in names) or None
        guards = {name: margin for name, margin in self.must_not_drop.items() if name in names}
        in_order = self.in_order and improves is not None
        return self.model_copy(update={"improves": improves, "must_not_drop": guards, "in_order": in_order})

    @property
    def is_plan(self) -> bool:
        """Whether it says when a model ships."""
        return self.improves is not None or bool(self.must_not_drop)

    @property
    def key(self) -> str:
        """What identifies the plan: 12 hexadecimal digits of the SHA-256 over all of it."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
