"""The JSON objects that a reply says: those that stand in it once its thought is over, outermost only."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

LONGEST_REPLY_CHARACTERS = 200_000  # a longer one is no judgement, and scanning it could take seconds
MOST_BRACES = 1_000  # that begin no object; each is a try that takes longer the longer the reply is

# How models mark a thought: DeepSeek, Qwen and most others; Magistral; Kimi; Sky-T1; and the channels of gpt-oss, also
# where the server left their special tokens out (https://cookbook.openai.com/articles/openai-harmony).
TAGS = r"(?:seed:)?(?:think|thinking|thought|reasoning|scratchpad)"
OPENS = (
    rf"<{TAGS}>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|<\|channel\|>\s*(?:analysis|commentary)"
    r"|\A\s*(?-i:analysis)(?=\w)"
)
CLOSES = (
    rf"</{TAGS}>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<\|channel\|>\s*final(?:[^<]|<\|constrain\|>)*<\|message\|>"
    r"|(?-i:assistantfinal)(?=\W|[A-Z])"
)
MARKS = re.compile(rf"(?P<opens>{OPENS})|(?P<closes>{CLOSES})|\{{", re.IGNORECASE)
BEGINNING_OF_AN_OBJECT = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:', re.DOTALL)


class UnreadableError(ValueError):
    """A reply from which no scores can be taken; the text is the reason."""


@dataclass(frozen=True)
class JsonObject:
    """An object and where in the text it stands."""

    start: int
    end: int
    value: dict[str, Any]


@dataclass
class Said:
    """What a reply says from `start` on, where its thought is over. `problem` is why its objects cannot be read."""

    start: int = 0
    objects: list[JsonObject] = field(default_factory=list)
    problem: str | None = None
    braces_in_vain: int = 0

    def take(self, text: str, start: int) -> int:
        """Reads the object that begins at a brace, if one does; gives where to read on."""
        try:
            value, end = DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            self._refuse(text, start, error)
        except RecursionError:
            self.problem = "it is nested too deeply"
        except UnreadableError as reason:
            self.problem = str(reason)
        except ValueError:  # Python reads no integer of more than 4,300 digits
            self.problem = "it holds a number that cannot be read"
        else:
            self.objects.append(JsonObject(start, end, value))
            return end
        return start + 1

    def _refuse(self, text: str, start: int, error: json.JSONDecodeError) -> None:
        """What begins as an object does and is none makes all of the reply unreadable; other braces are prose."""
        if BEGINNING_OF_AN_OBJECT.match(text, start):
            self.problem = f"broken JSON: {error.msg}, at character {error.pos + 1}"
        self.braces_in_vain += 1
        if self.braces_in_vain > MOST_BRACES:
            self.problem = f"{MOST_BRACES} of its braces begin no JSON object"


def what_is_said(text: str) -> Said:
    """Finds what a reply says. Raises an UnreadableError for a thought without end and for what is no JSON.

    A mark of a thought counts outside of objects only: an analysis may quote one. What stands before the last end of a
    thought is part of it, whether its beginning stands in the reply or stood in the prompt.
    """
    if len(text) > LONGEST_REPLY_CHARACTERS:
        raise UnreadableError(f"it is {len(text)} characters long")
    said, thinking, position = Said(), False, 0
    while mark := MARKS.search(text, position):
        position = mark.end()
        if mark["closes"]:
            said, thinking = Said(position), False
        elif mark["opens"]:
            thinking = True
        elif not thinking and not said.problem:
            position = said.take(text, mark.start())
    if said.problem:
        raise UnreadableError(said.problem)
    if thinking:
        raise UnreadableError("its thought does not end")
    return said


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UnreadableError(f"{json.dumps(key)} stands twice in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise UnreadableError(f"it holds {name}, which is no JSON")


# strict=False: judges write raw line ends and tabs inside strings.
DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
