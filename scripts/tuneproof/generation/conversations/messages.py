"""What a model is asked turn by turn: the messages up to a turn, with the model's own answers before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tuneproof.generation.conversations.prompts import chat_messages
from tuneproof.records.rows import Question, Result

Chat = list[dict[str, str]]
THOUGHT = "reasoning_content"  # what chat templates call a message's thought; most do not show one


class Earlier(NamedTuple):
    """The answer to an earlier turn: as it was generated, and as the model is told of it in later turns."""

    key: str
    result: Result
    answer: str
    thought: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """A question up to the turn that is to be answered. `samples` are those that share the answers before it."""

    question: Question
    samples: tuple[int, ...]
    earlier: tuple[Earlier, ...] = ()

    @property
    def turn(self) -> int:
        """The turn that is to be answered, from 0."""
        return len(self.earlier)

    @property
    def turns_to_come(self) -> int:
        """How many turns are to be answered, this one among them."""
        return len(self.question.all_turns) - self.turn

    @property
    def is_one_message(self) -> bool:
        """Whether the question is no conversation: its prompt is rendered as ever, and its rows have no turn."""
        return not self.question.is_conversation

    def messages(self, system: str | None) -> Chat:
        """The chat up to the turn that is to be answered. An earlier answer's thought stands apart from it."""
        if self.is_one_message:
            return chat_messages(self.question.asked, system)
        chat = [{"role": "system", "content": system}] if system else []
        chat += [{"role": message.role, "content": message.content} for message in self.question.history or ()]
        for text, one in zip(self.question.all_turns, self.earlier, strict=False):
            thought = {THOUGHT: one.thought} if one.thought else {}
            chat += [{"role": "user", "content": text}, {"role": "assistant", "content": one.answer, **thought}]
        return [*chat, {"role": "user", "content": self.question.all_turns[self.turn]}]


def without_thoughts(chat: Chat) -> Chat:
    """A chat as it is sent to an endpoint: some refuse a message with a thought."""
    return [{name: text for name, text in message.items() if name != THOUGHT} for message in chat]


def with_contents(chat: Chat, replaced: Mapping[str, str]) -> Chat:
    """A chat in whose texts, roles apart, some strings are replaced."""

    def text(value: str) -> str:
        for old, new in replaced.items():
            value = value.replace(old, new)
        return value

    return [{name: value if name == "role" else text(value) for name, value in message.items()} for message in chat]
