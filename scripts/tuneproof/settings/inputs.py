"""The settings that say which questions are asked."""

from typing import Self

from pydantic import Field, model_validator

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
    messages_column: str | None = None
    turns_column: str | None = None
    limit: Positive | None = None

    @property
    def conversation_column(self) -> str | None:
        """The column that holds conversations, whichever their form; None where questions are single instructions."""
        return self.messages_column or self.turns_column

    @model_validator(mode="after")
    def check_columns(self) -> Self:
        """A question is an instruction, a list of messages or a list of turns."""
        listed = [name for name in ("messages_column", "turns_column") if getattr(self, name)]
        if len(listed) > 1:
            raise ValueError("messages_column and turns_column both say what is asked; set one of them to null")
        if listed and self.input_column:
            raise ValueError(f"input_column belongs to instruction_column; with {listed[0]} set it to null")
        return self
