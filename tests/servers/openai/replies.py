"""What the local OpenAI server's model says: scores that depend on the request alone, right or spoiled by a fault."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

from tests.servers.openai.faults import canonical, share_of

Scorer = Callable[[dict[str, Any]], str]
Completer = Callable[[dict[str, Any]], dict[str, Any]]  # from a body with a prompt to its text, logprobs, finish_reason

WITHOUT_SCHEMA = {  # what is returned when the request states no schema
    "type": "object",
    "properties": {
        name: {
            "type": "object",
            "properties": {"analysis": {"type": "string"}, "score": {"type": "integer", "enum": [1, 2, 3]}},
        }
        for name in ("accuracy", "style")
    },
}
TOP_PROBABILITY = 0.7  # of the token that was chosen


def default_scorer(body: dict[str, Any]) -> str:
    """Gives JSON that fits the schema in the request; which scores, the body alone decides."""
    schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema", WITHOUT_SCHEMA)
    return json.dumps(_value(schema, canonical(body), ""))


def _value(schema: dict[str, Any], name: str, path: str) -> Any:
    if "enum" in schema:
        return schema["enum"][int(share_of(name, path) * len(schema["enum"]))]
    kind = schema.get("type")
    if kind == "object":
        return {key: _value(entry, name, f"{path}/{key}") for key, entry in schema.get("properties", {}).items()}
    if kind == "array":
        return [_value(schema.get("items", {}), name, f"{path}/0")]
    return {"integer": 1, "number": 0.5, "boolean": True, "null": None}.get(str(kind), f"Said of {path} in {name}.")


def spoiled(fault: str | None, content: str) -> dict[str, Any]:
    """Gives `content`, `refusal` and `finish_reason` of the reply that a fault makes of a good content."""
    said: dict[str, Any] = {"content": content, "refusal": None, "finish_reason": "stop"}
    changes: dict[str | None, dict[str, Any]] = {
        "malformed": {"content": content.replace(":", "=", 1)},
        "truncated": {"content": content[: len(content) // 2], "finish_reason": "length"},
        "refusal": {"content": None, "refusal": "I'm sorry, I cannot help with that."},
        "off_scale": {"content": re.sub(r": -?\d+(\.\d+)?", ": 99", content)},
        "empty": {"content": ""},
        "twice": {"content": content + "\n" + content.replace(":", ': {"other": 1}, "more":', 1)},
        "prose": {"content": "It is a good answer. I would give it a three."},
    }
    return said | changes.get(fault, {})


def usage_of(body: dict[str, Any], content: str) -> dict[str, int]:
    """Counts tokens at four characters each."""
    prompt = sum(len(str(message.get("content", ""))) for message in body.get("messages", [])) // 4 + 1
    reply = len(content) // 4 + 1
    return {"prompt_tokens": prompt, "completion_tokens": reply, "total_tokens": prompt + reply}


def completion(body: dict[str, Any], said: dict[str, Any], usage: dict[str, int]) -> dict[str, Any]:
    """Builds the body of a chat completion."""
    message = {"role": "assistant", "content": said["content"], "refusal": said["refusal"]}
    wanted = body.get("logprobs") and said["content"]
    logprobs = {"content": _logprobs(said["content"], body.get("top_logprobs") or 0)} if wanted else None
    return {
        "id": f"chatcmpl-{canonical(body)}",
        "object": "chat.completion",
        "created": 0,
        "model": f"{body.get('model')}-local",
        "choices": [{"index": 0, "message": message, "finish_reason": said["finish_reason"], "logprobs": logprobs}],
        "usage": usage,
    }


def text_completion(body: dict[str, Any], choice: dict[str, Any], usage: dict[str, int]) -> dict[str, Any]:
    """Builds the body of a text completion."""
    return {
        "id": f"cmpl-{canonical(body)}",
        "object": "text_completion",
        "created": 0,
        "model": f"{body.get('model')}-local",
        "choices": [{"index": 0, "logprobs": None, **choice}],
        "usage": usage,
    }


def odd_body(fault: str, answer: dict[str, Any]) -> bytes:
    """Gives the bytes of a completion with what a fault puts into them."""
    message = answer["choices"][0]["message"]
    if fault == "odd_usage":
        answer["usage"] = [1]
    elif fault == "no_choices":
        answer["choices"] = []
    elif fault == "null_part":
        message["content"] = [None, {"type": "text", "text": message["content"]}, {"type": "text", "text": None}]
    whole = json.dumps(answer).encode()
    if fault == "invalid_body":
        return whole[: len(whole) // 2]
    return whole.replace(b"Said of", b"Said\xff of", 1) if fault == "odd_byte" else whole


def _logprobs(content: str, alternatives: int) -> list[dict[str, Any]]:
    return [_token(text, alternatives) for text in re.findall(r"\d+|\s*[^\W\d]+|\W", content)]


def _token(text: str, alternatives: int) -> dict[str, Any]:
    others = [str(number) for number in range(1, 10) if str(number) != text] if text.isdigit() else ["~", "^"]
    rest = (1 - TOP_PROBABILITY) / 2
    top = [(text, TOP_PROBABILITY), (others[0], rest), (others[1], rest)][:alternatives]
    return {
        "token": text,
        "logprob": math.log(TOP_PROBABILITY),
        "bytes": list(text.encode()),
        "top_logprobs": [
            {"token": other, "logprob": math.log(probability), "bytes": list(other.encode())}
            for other, probability in top
        ],
    }
