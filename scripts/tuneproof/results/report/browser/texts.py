"""Texts from datasets, models and judges as a page may hold them: they are data to it, never markup or code."""

import json
import re
from typing import Any

# Control characters, embeddings and overrides of text direction, invisible fillers, lone surrogates and tags.
# Left alone: tab, newline, and the joiners and direction marks that scripts and emoji need.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
SCRIPT_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def visible(text: str) -> str:
    """A text in which no character is invisible or turns the direction of what follows: `⟨U+202E⟩`."""
    return INVISIBLE.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text.replace("\r\n", "\n"))


def script_json(value: Any) -> str:
    """JSON that can neither end the script element it stands in nor start anything in it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(SCRIPT_ESCAPES)
