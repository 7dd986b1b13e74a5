"""What one rater is asked and has said: the page's whole behaviour, without the web."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuneproof.records.keys import content_key
from tuneproof.records.rows import Label, Number, problem_in
from tuneproof.scoring.people.asking.items import Item, in_order_of
from tuneproof.scoring.people.asking.labels import Others, RaterLabels, round_of
from tuneproof.settings.evidence.judging import Criterion
from tuneproof.settings.params import Params

Outcome = Literal["left", "tie", "right"]
State = Literal["open", "partly", "rated", "skipped", "taken"]  # taken: enough others have rated it
PREFERENCES: dict[Outcome, float] = {"left": 1, "tie": 0.5, "right": 0}  # for the answer that stands left
MOST_SECONDS_AT_ONCE = 3_600.0
LONGEST_NOTE = 10_000  # characters
LETTERS = "abcdefghijklmoqtuvwxyz"  # keys beyond the digits: n, p, r and s have a meaning of their own
KEYS = "0123456789" + LETTERS
KEYS_BY_PLACE = "123456789" + LETTERS


class Change(BaseModel):
    """What the page sends: all that is said of one item now, and the seconds since it was shown or last saved."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    scores: dict[str, Number] | None = None
    outcome: Outcome | None = None
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] | None = None
    seconds: Annotated[float, Field(ge=0)] = 0.0


class NotAskedError(ValueError):
    """Nobody asks for this item, or not for what was said of it; the text says what is wrong."""


@dataclass(frozen=True)
class Session:
    """One rater's items in their own order, their labels, and what others rated meanwhile."""

    items: Mapping[str, Item]
    labels: RaterLabels
    others: Others
    params: Params  # of the world
    round: int

    @classmethod
    def begin(cls, labels: RaterLabels, items: Sequence[Item], params: Params) -> Self:
        """A rater's session. What was chosen once and is drawn at random now feeds statistics from here on."""
        promoted = [
            label.model_copy(update={"drawn": "random"})
            for item in items
            if item.drawn == "random"
            and (label := labels.find(item.keys, params.instructions))
            and label.drawn == "chosen"
        ]
        if promoted:
            labels.save(promoted)
        in_order = {item.key: item for item in in_order_of(labels.rater, items)}
        return cls(in_order, labels, Others(labels.rater), params, round_of(params.instructions))

    def overview(self) -> dict[str, Any]:
        """What the page shows of everything: the rubric, and of each item whether it is rated."""
        return {
            "rater": self.labels.rater,
            "guidelines": self.params.people.guidelines,
            "round": self.round,
            "criteria": [
                {"name": name, "question": criterion.question, "steps": steps_of(criterion)}
                for name, criterion in self.params.judge.criteria.items()
            ],
            "preference": self.params.compare.criteria,
            "items": [{"key": key, "state": self.state(item)} for key, item in self.items.items()],
        }

    def summary(self) -> str:
        """How far the rater is, for a person."""
        states = Counter(self.state(item) for item in self.items.values())
        left = states["open"] + states["partly"]
        return f"{self.labels.rater} has rated {states['rated']}, skipped {states['skipped']}, {left} to rate"

    def shown(self, key: str) -> dict[str, Any]:
        """One item with what was said of it; raises a NotAskedError where there is none."""
        item = self.item(key)
        label, turned, outcome = self.label(item), self.turned(item), None
        if label and label.preference is not None:
            preference = label.preference if label.key == item.key else 1 - label.preference
            left = 1 - preference if turned else preference
            outcome = next(name for name, value in PREFERENCES.items() if value == left)
        return {
            "state": self.state(item),
            "kind": item.kind,
            "question": item.question,
            "reference": item.reference,
            "answers": list(reversed(item.answers)) if turned else list(item.answers),
            "scores": label.scores if label else None,
            "outcome": outcome,
            "note": label.note if label else None,
        }

    def change(self, key: str, body: bytes) -> State:
        """Saves what was said of an item and gives its state; raises a NotAskedError for what was not asked."""
        item = self.item(key)
        try:
            change = Change.model_validate_json(body)
        except ValidationError as error:
            raise NotAskedError(problem_in(error)) from None
        self.check(item, change)
        before, preference = self.label(item), None
        if change.outcome is not None:
            left = PREFERENCES[change.outcome]
            preference = 1 - left if self.turned(item) else left
        seconds = min(change.seconds, MOST_SECONDS_AT_ONCE) + (before.seconds if before else 0.0)
        label = Label(
            key=item.key, id=item.id, kind=item.kind, scores=change.scores or None, preference=preference,
            note=change.note or None, rater=self.labels.rater, drawn=item.drawn, seconds=round(seconds, 1),
            round=self.round, instructions=self.params.instructions,
        )  # fmt: skip
        self.labels.save([label])
        return self.state(item)

    def item(self, key: str) -> Item:
        """An item of this run; raises a NotAskedError where there is none."""
        if key not in self.items:
            raise NotAskedError("there is no such item")
        return self.items[key]

    def check(self, item: Item, change: Change) -> None:
        """Raises a NotAskedError for a score that is no step of its criterion, or said of the other kind of item."""
        if change.scores and item.kind == "pair":
            raise NotAskedError("a pair has no scores")
        if change.outcome and item.kind == "answer":
            raise NotAskedError("an answer has no outcome")
        for name, score in (change.scores or {}).items():
            if name not in self.params.judge.criteria or score not in self.params.judge.criteria[name].scale:
                raise NotAskedError("a score is no step of the scale")

    def turned(self, item: Item) -> bool:
        """Whether a pair's first answer stands on the right for this rater, which its texts do not tell."""
        return item.kind == "pair" and int(content_key(["side", self.labels.rater, item.key])[0], 16) % 2 == 1

    def label(self, item: Item) -> Label | None:
        """What the rater said of an item with the present instructions."""
        return self.labels.find(item.keys, self.params.instructions)

    def state(self, item: Item) -> State:
        """How far an item is."""
        label = self.label(item)
        if label is None:
            enough = self.others.count(item.keys, self.params.instructions) >= self.params.people.raters
            return "taken" if enough else "open"
        if label.scores is not None:
            return "partly" if self.params.judge.criteria.keys() - label.scores else "rated"
        return "rated" if label.preference is not None else "skipped"


def steps_of(criterion: Criterion) -> list[dict[str, Any]]:
    """The steps of a scale, each with the key that gives it: its own digit where all are 0 to 10, else its place."""
    own = all(step in range(11) for step in criterion.scale)
    keys = [KEYS[int(step)] for step in criterion.scale] if own else [*KEYS_BY_PLACE, *[""] * len(criterion.scale)]
    return [
        {"key": key, "value": step, "meaning": meaning}
        for key, (step, meaning) in zip(keys, criterion.scale.items(), strict=False)
    ]
