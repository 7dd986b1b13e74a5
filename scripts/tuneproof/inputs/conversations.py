"""Conversations in a dataset: a list of messages whose last user message is answered, or the user's turns alone.

Messages stand there as OpenAI's API has them (`role`, `content`: https://platform.openai.com/docs/api-reference/chat)
or as ShareGPT has them (`from`, `value`).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from tuneproof.common.errors import UserError, one_line
from tuneproof.records.keys import canonical_json
from tuneproof.records.rows import Message, Question
from tuneproof.settings.params import Params

FIELDS = (("role", "content"), ("from", "value"))  # OpenAI's, ShareGPT's
Role = Literal["system", "user", "assistant"]
ROLES: dict[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant",
    "gpt": "assistant", "chatgpt": "assistant", "model": "assistant",
}  # fmt: skip
OF_TOOLS = ("tool", "function", "function_call", "observation", "ipython")
CALLS = ("tool_calls", "function_call")
TEXT_PARTS = ("text", "input_text", "output_text")


@dataclass(frozen=True)
class Conversation:
    """What is asked: the messages before, what the user says turn by turn, and a reference, or none, for each turn."""

    history: list[Message]
    turns: list[str]
    references: list[str | None]

    @property
    def has_one_message(self) -> bool:
        """Whether it is a question like any other."""
        return not self.history and len(self.turns) == 1

    @property
    def identity(self) -> str:
        """The one text of everything in it, for the question's id."""
        history = [[message.role, message.content] for message in self.history]
        return canonical_json([history, self.turns, self.references])

    def fields(self) -> dict[str, Any]:
        """What a question has of it."""
        one = {"instruction": self.turns[0], "reference": self.references[0]}
        if self.has_one_message:
            return one
        return one | {"history": self.history, "turns": self.turns, "references": self.references}


def conversation_of_messages(place: str, column: str, value: object, reference: str | None) -> Conversation:
    """A row's messages: the last user message is answered, an assistant message after it is the reference.

    `reference` is what the dataset's column of references says. Raises a UserError that names what is wrong with them.
    """
    place = f"{place}, {column}"
    messages = [
        message
        for number, one in enumerate(listed(place, value, "messages"), start=1)
        if (message := read_message(f"{place}, message {number}", one))
    ]
    check_order(place, messages)
    own = messages.pop().content if messages[-1].role == "assistant" else None
    if own is not None and reference is not None and own != reference:
        found = "it has two references, its last assistant message and the one in questions.reference_column"
        raise UserError(place, found, "set questions.reference_column to null, or remove one of them")
    *history, last = messages
    return Conversation(history, [last.content], [reference if own is None else own])


def conversation_of_turns(place: str, column: str, value: object, reference: object) -> Conversation:
    """A row's user turns, which the model answers one after the other, with a reference, or null, for each of them."""
    place = f"{place}, {column}"
    turns = [text_of(f"{place}, turn {number}", one) for number, one in enumerate(listed(place, value, "turns"), 1)]
    references = listed(place, reference, "references", required=False)
    if len(turns) == 1 and isinstance(reference, str) and not references:
        references = [reference]
    if references and len(references) != len(turns):
        found = f"it has {len(turns)} turns and {len(references)} references"
        raise UserError(place, found, "give a list with a reference for every turn, null where there is none")
    return Conversation([], turns, [read_reference(place, one) for one in references] or [None] * len(turns))


def read_reference(place: str, value: object) -> str | None:
    """A turn's reference; an empty one is null."""
    if isinstance(value, (list, dict)):
        raise UserError(place, f"a reference is a {type(value).__name__}, no text", "write it as a text")
    return None if value is None or not str(value).strip() else str(value)


def listed(place: str, value: object, of_what: str, required: bool = True) -> list[Any]:
    """A field's list, which in a table of texts is written as JSON."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = value if required else [value]
    if value is None or value == "" or value == []:
        if required:
            raise UserError(place, f"it holds no {of_what}", "fill it in or remove the row")
        return []
    if not isinstance(value, list):
        if required:
            raise UserError(place, f"it is no list of {of_what}", f"name a column that holds lists of {of_what}")
        return [value]
    return value


def read_message(place: str, value: object) -> Message | None:
    """One message in either form; None for a system message that says nothing."""
    if not isinstance(value, Mapping):
        raise UserError(place, "it is no object", 'write it as {"role": ..., "content": ...}')
    role_field, text_field = fields_of(place, value)
    role = role_of(place, value[role_field])
    if any(value.get(name) for name in CALLS):
        raise UserError(place, "it calls a tool", "remove the row: models are asked without tools here")
    content = value.get(text_field)
    if role == "system" and (content is None or (isinstance(content, str) and not content.strip())):
        return None
    return Message(role=role, content=text_of(place, content))


def fields_of(place: str, message: Mapping[str, Any]) -> tuple[str, str]:
    """What a message's role and text are called. A table holds null for what another row's message has."""
    found = [fields for fields in FIELDS if message.get(fields[0]) is not None]
    if len(found) != 1:
        told = "it has both a `role` and a `from`" if found else "it has no `role` (ShareGPT: no `from`)"
        raise UserError(place, told, "write it with `role` and `content`, or with `from` and `value`")
    return found[0]


def role_of(place: str, name: object) -> Role:
    """Who says it. Raises a UserError for anyone but system, user and assistant."""
    if isinstance(name, str) and name in ROLES:
        return ROLES[name]
    if isinstance(name, str) and name in OF_TOOLS:
        raise UserError(place, f"it is a tool's ({name})", "remove the row: models are asked without tools here")
    raise UserError(place, f"there is no role {one_line(str(name), 40)!r}", "write system, user or assistant")


def text_of(place: str, value: object) -> str:
    """A message's text; one in parts is joined. Raises a UserError for images and the like, and for an empty one."""
    if isinstance(value, list):
        value = "".join(part_text(place, part) for part in value)
    if value is None or value == "" or (isinstance(value, str) and not value.strip()):
        raise UserError(place, "it is empty", "fill it in or remove the row")
    if not isinstance(value, str):
        raise UserError(place, f"it is a {type(value).__name__}, no text", "write it as a text")
    return value


def part_text(place: str, part: object) -> str:
    """One part of a message's content."""
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, Mapping) else None
    text = part.get("text") if isinstance(part, Mapping) else None
    if kind not in TEXT_PARTS:
        shown = one_line(str(kind), 40)
        raise UserError(place, f"a part of it is no text but {shown}", "remove the row: only texts are asked here")
    if not isinstance(text, str):
        raise UserError(place, "a part of it has no text", "fill it in or remove the row")
    return text


def check_order(place: str, messages: Sequence[Message]) -> None:
    """Raises a UserError unless user and assistant take turns, the user first, a system message before all of them."""
    spoken = messages[1:] if messages and messages[0].role == "system" else messages
    if any(message.role == "system" for message in spoken):
        raise UserError(place, "a system message stands behind another message", "put one system message first")
    if not spoken:
        raise UserError(place, "no user says anything in it", "remove the row")
    if spoken[0].role != "user":
        raise UserError(place, "the assistant speaks first", "begin with the user's message")
    for number, (one, other) in enumerate(pairwise(spoken), start=1 + len(messages) - len(spoken)):
        if one.role == other.role:
            found = f"messages {number} and {number + 1} are both the {one.role}'s"
            raise UserError(place, found, "join them or remove the row: user and assistant take turns")


def found_in_words(column: str, questions: Sequence[Question], rows: Sequence[Mapping[str, Any]]) -> str:
    """What a column of conversations holds, for a person."""
    forms = Counter(form_of(row.get(column)) for row in rows)
    form = f"{forms.most_common(1)[0][0]}, " if len(forms) == 1 else ""
    turns = Counter(len(question.all_turns) for question in questions)
    counted = ", ".join(f"{count} of {number} {'turn' if number == 1 else 'turns'}" for number, count in turns.items())
    history = sum(bool(question.history) for question in questions)
    system = sum(bool(question.history and question.history[0].role == "system") for question in questions)
    references = sum(any(question.references or [question.reference]) for question in questions)
    return f"{form}{counted}; {history} with history, {system} with a system message, {references} with a reference"


def form_of(value: object) -> str:
    """Which form a field's messages have."""
    names = listed("", value, "messages", required=False)
    if names and isinstance(names[0], Mapping):
        return "OpenAI's messages" if names[0].get("role") is not None else "ShareGPT's messages"
    return "a list of turns"


def require_chat(questions: Sequence[Question], params: Params) -> None:
    """Raises a UserError for a model that conversations cannot be asked of: in Alpaca's format, or with two systems."""
    conversations = sum(question.is_conversation for question in questions)
    systems = sum(bool(question.history and question.history[0].role == "system") for question in questions)
    for key, model in params.models.items() if conversations else ():
        if model.prompt == "alpaca" and params.generation(key).engine != "recorded":
            found = f"`prompt: alpaca` takes one turn only, and {conversations} questions have several messages"
            raise UserError(f"model {key}", found, "set `prompt: chat`, or ask questions of one message")
        if systems and model.system:
            found = f"{systems} questions have a system message, and the model's `system` is another one"
            raise UserError(f"model {key}", found, f"remove models.{key}.system or theirs")
