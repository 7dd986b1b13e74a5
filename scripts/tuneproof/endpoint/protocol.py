"""What stands in the bodies of the OpenAI protocol: requests as limits count them, replies, and errors."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuneproof.endpoint.endings import ending_of

MOST_TOKENS = 10**9  # no request has more; a larger count is an error of the server
NEWER_MAX_TOKENS = "max_completion_tokens"  # what OpenAI's newer models call max_tokens
LARGEST_LOGPROB = 0.01  # a probability of 1, rounded up

# What a server refuses for the sake of one prompt: another prompt may pass, another attempt will not.
CODES_OF_ONE_PROMPT = {
    "context_length_exceeded", "string_above_max_length", "content_filter", "content_policy_violation",
    "invalid_prompt",
}  # fmt: skip
WORDS_OF_AN_OVER_LONG_PROMPT = (
    "context length", "context size", "context window", "maximum model length", "max_model_len", "too long",
    "input tokens", "`inputs` tokens", "prompt length", "request too large", "entity too large", "payload too large",
)  # fmt: skip


@dataclass(frozen=True)
class Completion:
    """What one completion says, of a chat or of a text. `finish_reason` is as `ending_of` gives it.

    Where nothing of it could be read, `problem` says why: it is billed all the same.

    `logprobs` holds `{"token", "logprob", "top_logprobs": [{"token", "logprob"}]}` per token, where it was given; of a
    text that was asked to be repeated (`echo`) the prompt's tokens come first, the very first without a logprob (None).
    """

    text: str | None
    refusal: str | None
    finish_reason: str | None
    model: str
    prompt_tokens: int | None
    reply_tokens: int | None
    logprobs: list[dict[str, Any]] | None = None
    problem: str | None = None
    thinking: str | None = None  # what a server tells apart from the text, as reasoning_content or reasoning


def estimated_tokens(body: Mapping[str, Any]) -> float:
    """Estimates what a request counts towards a limit of tokens: 4 characters a token, and the reply's room."""
    characters = sum(len(str(message.get("content", ""))) for message in body.get("messages", []))
    room = body.get(NEWER_MAX_TOKENS) or body.get("max_tokens") or 0
    return 1 + characters / 4 + len(body.get("prompt", ())) + float(room)  # a prompt is given as tokens


def encoded(body: Mapping[str, Any]) -> bytes:
    """Writes a request's body; half surrogates, which UTF-8 cannot hold, become question marks."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def error_of(body: bytes) -> tuple[str, str | None]:
    """Gives the message and code of an error as the various servers write it; the raw text where it is none of them."""
    found = parsed(body)
    error = found.get("error", found) if isinstance(found, dict) else found
    if isinstance(error, dict):
        code = error.get("code") if isinstance(error.get("code"), str) else error.get("type")
        message = error.get("message") or error.get("detail")
        return str(message or body[:1000].decode(errors="replace")), code if isinstance(code, str) else None
    return (error if isinstance(error, str) else body[:1000].decode(errors="replace")), None


def is_about_one_prompt(message: str, code: str | None) -> bool:
    """Whether an error's message and code say that another prompt might pass: this one is too long, or filtered.

    Only OpenAI has codes for it; the other servers say it in words.
    """
    lowered = message.lower()
    return code in CODES_OF_ONE_PROMPT or any(words in lowered for words in WORDS_OF_AN_OVER_LONG_PROMPT)


def named_setting(message: str, body: Mapping[str, Any]) -> str | None:
    """The part of a request's body that an error names, the one named first; None where it names none.

    >>> named_setting("Unsupported value: 'temperature' does not support 0", {"model": "o3", "temperature": 0})
    'temperature'
    """
    names = "|".join(re.escape(name) for name in sorted(body.keys() - {"model", "messages"}))
    found = re.search(rf"(?<!\w)(?:{names})(?!\w)", message) if names else None
    return found[0] if found else None


def wants_newer_name(message: str, code: str | None) -> bool:
    """Whether an error says that the endpoint knows `max_tokens` under its newer name only."""
    return NEWER_MAX_TOKENS in message and not is_about_one_prompt(message, code)


def with_newer_name(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body whose longest reply is stated under the newer name. Its ledger key stays that of the older one."""
    return {NEWER_MAX_TOKENS if name == "max_tokens" else name: value for name, value in body.items()}


def read_completion(body: bytes) -> Completion | None:
    """Reads the body of an answer with status 200, as `completion_of` does."""
    found = parsed(body)
    if found is None and body.lstrip()[:1] == b"<":
        return None
    return completion_of(found, body[:1000].decode(errors="replace"))


def completion_of(found: Any, text: str) -> Completion | None:
    """Reads a completion as far as it can be: what came with status 200 is billed. Never fails.

    None for what no model has made: a web page, or an error in a completion's place. `text` is what was found, as text.
    """
    fields = found if isinstance(found, dict) else {}
    choices, usage = fields.get("choices"), _fields(fields.get("usage"))
    if fields.get("error") and not choices:
        return None
    choice = _fields(choices[0]) if isinstance(choices, list) and choices else {}
    message = _fields(choice.get("message"))
    if not message and isinstance(choice.get("text"), str):  # of a text completion
        message = {"content": choice["text"]}
    return Completion(
        text=_text(message.get("content")),
        refusal=_text(message.get("refusal")),
        finish_reason=ending_of(choice),
        model=_text(fields.get("model")) or "",
        prompt_tokens=_count(usage.get("prompt_tokens")),
        reply_tokens=_count(usage.get("completion_tokens")),
        logprobs=_logprobs(choice.get("logprobs")),
        thinking=_text(message.get("reasoning_content")) or _text(message.get("reasoning")) or None,
        problem=None if message else f"the answer is no chat completion: {text}",
    )


def parsed(body: bytes) -> Any:
    """A body's JSON; bytes that are no UTF-8 are replaced. None for what is no JSON."""
    try:
        try:
            return json.loads(body)
        except UnicodeDecodeError:
            return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _fields(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    """Takes a text or a list of text parts; half surrogates, which no file could hold, are replaced."""
    if isinstance(value, list):
        texts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text"]
        value = "".join(text for text in texts if isinstance(text, str))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def _logprobs(found: Any) -> list[dict[str, Any]] | None:
    """Reads what stands under `logprobs`; None for all that is odd, since the reply is good without it."""
    try:
        if "tokens" in found:
            return _of_text(found) or None
        return [
            {**_alternative(token), "top_logprobs": [_alternative(other) for other in token.get("top_logprobs") or []]}
            for token in found["content"]
        ] or None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _of_text(found: Any) -> list[dict[str, Any]]:
    """Reads the logprobs of a text completion: lists side by side, with nulls for a token that nothing precedes."""
    places = zip(found["tokens"], found["token_logprobs"], found["top_logprobs"], strict=True)
    return [
        {"token": _text(token), "logprob": None, "top_logprobs": []}
        if logprob is None
        else {
            **_alternative({"token": token, "logprob": logprob}),
            "top_logprobs": [_alternative({"token": name, "logprob": one}) for name, one in (top or {}).items()],
        }
        for token, logprob, top in places
    ]


def _alternative(token: Any) -> dict[str, Any]:
    """Reads a token with its logprob. Raises a ValueError for what is none."""
    text, logprob = _text(token["token"]), float(token["logprob"])
    if text is None or not math.isfinite(logprob) or logprob > LARGEST_LOGPROB:
        raise ValueError("no token, or no logarithm of a probability")
    return {"token": text, "logprob": logprob}
