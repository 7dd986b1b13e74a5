"""How a reply ended: the words of many servers for it, in those of OpenAI. What is unknown is no success."""

from collections.abc import Mapping
from typing import Any

from tuneproof.common.errors import one_line

OPENAI_NAMES = {  # what servers call it that do not keep to OpenAI's names
    "eos": "stop", "eos_token": "stop", "stop_sequence": "stop", "end_turn": "stop", "stop_token": "stop",
    "max_tokens": "length", "model_length": "length", "model_context_window_exceeded": "length",
    "sensitive": "content_filter", "safety": "content_filter", "recitation": "content_filter",
}  # fmt: skip
CALLS = {"tool_calls", "function_call"}
# What another attempt does not mend: the model calls a tool that nobody offered, or a filter withholds its words.
FOR_GOOD = {
    "content_filter": "the endpoint's filter withheld the answer",
    "tool_calls": "the model called a tool instead of answering",
    "function_call": "the model called a tool instead of answering",
}


def ending_of(choice: Mapping[str, Any]) -> str | None:
    """How a choice of a chat completion ended: `stop`, `length` and `content_filter` as OpenAI means them, or else.

    Else is the server's own word, `error: ` with its message where the choice holds an error, or None where nothing is
    said; whether such a reply is whole is unknown.
    """
    if error := choice.get("error"):
        message = error.get("message") if isinstance(error, dict) else None
        return f"error: {one_line(message or error)}"
    reason, message = choice.get("finish_reason"), choice.get("message")
    if not isinstance(reason, str):
        return None
    lowered = reason.lower()
    if lowered.startswith("content_filter"):  # Gemini appends which one
        return "content_filter"
    if isinstance(message, dict) and any(message.get(call) for call in CALLS):
        return "tool_calls"
    return OPENAI_NAMES.get(lowered, lowered)


def unknown_ending(reason: str | None) -> str | None:
    """Why a reply that ended so may be cut, None for one that is known to be whole, cut at its limit or withheld."""
    if reason in ("stop", "length") or reason in FOR_GOOD:
        return None
    return f"its finish_reason is {one_line(reason, 100)}" if reason else "it has no finish_reason"
