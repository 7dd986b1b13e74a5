"""The section of params.yaml that says what people are asked, and with which words: people."""

from collections.abc import Mapping
from typing import Any

from tuneproof.records.keys import content_key
from tuneproof.settings.base import NotNegative, Positive, Settings, Text
from tuneproof.settings.evidence.judging import Criterion

GUIDELINES = (
    "Rate the answer as it stands, by the steps that are written beside it. Length by itself earns nothing. "
    "The reference is one good answer, not the only one. Where you cannot tell, skip and leave a note."
)


class People(Settings):
    """What people are asked to rate, by how many of them, and the guidelines that they read.

    `sample` answers and `pairs` pairs are drawn at random by question, and these alone feed statistics; `chosen`
    further ones are those most worth a look. `raters` people rate each.
    """

    sample: NotNegative = 150
    pairs: NotNegative = 0
    chosen: NotNegative = 30
    raters: Positive = 1
    seed: int = 42
    guidelines: Text = GUIDELINES

    def instructions(self, criteria: Mapping[str, Criterion], preference: str) -> str:
        """What names the words that raters have: rubric, the question about pairs, guidelines; 12 hex digits."""
        return content_key([rubric_of(criteria), preference, self.guidelines])[:12]


def rubric_of(criteria: Mapping[str, Criterion]) -> dict[str, Any]:
    """The rubric as plain data, as the keys of labels take it."""
    return {name: criterion.model_dump(mode="json") for name, criterion in criteria.items()}
