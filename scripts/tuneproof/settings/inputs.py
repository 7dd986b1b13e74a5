"""The settings that say which questions are asked."""

from pydantic import Field

from tuneproof.settings.base import Positive, Settings, Strings


class Questions(Settings):
    """Where the test questions come from and which columns hold what."""

    dataset: str = Field(min_length=1)
    fallback: str | None = None
    revision: str = "main"
    subset: str | None = None
    split: str = "test"
    instruction_column: str = "instruction"
    input_column: str | None = None
    reference_column: str | None = "output"
    id_column: str | None = None
    tag_columns: Strings = ()
    checks_column: str | None = None
    limit: Positive | None = None
