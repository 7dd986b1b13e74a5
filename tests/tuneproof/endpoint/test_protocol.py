"""Bodies of the OpenAI protocol as servers really write them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneproof.endpoint.protocol import (
    Completion,
    encoded,
    error_of,
    estimated_tokens,
    is_about_one_prompt,
    read_completion,
    wants_newer_name,
    with_newer_name,
)


def nested(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["message", "content", "text", "type", "usage", "logprobs", "refusal", "error"])
    return st.lists(values, max_size=3) | st.dictionaries(names, values, max_size=3)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ('{"error": {"message": "No.", "code": "bad", "type": "kind"}}', "No.", "bad"),
        ('{"error": {"message": "No.", "code": null, "type": "insufficient_quota"}}', "No.", "insufficient_quota"),
        (
            '{"object": "error", "message": "Too long.", "type": "BadRequestError", "code": 400}',
            "Too long.",
            "BadRequestError",
        ),
        ('{"detail": "Not Found"}', "Not Found", None),
        ('{"error": "just text"}', "just text", None),
        ("<html>bad gateway</html>", "<html>bad gateway</html>", None),
        ("[1, 2]", "[1, 2]", None),
        ("", "", None),
        ("[" * 100_000, "[" * 1000, None),
    ],
)
def test_errors_of_all_servers_are_read(body: str, message: str, code: str | None) -> None:
    assert error_of(body.encode()) == (message, code)


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "{}", '{"choices": []}', '{"choices": null}', '{"choices": [{}]}',
        '{"choices": [{"message": null}]}',
        '{"choices": {"0": 1}}', '{"choices": [{"message": "text"}]}', "\xff\xfe", "[" * 100_000, '"\xff\x00"',
        '{"choices": [{"message": {"content": "x"}', "1" * 5000,
    ],
)  # fmt: skip
def test_a_body_of_which_nothing_can_be_read_is_a_reply_that_says_so(body: str) -> None:
    reply = read_completion(body.encode("latin-1"))
    assert reply is not None
    assert reply.text is None
    assert str(reply.problem).startswith("the answer is no chat completion: ")


@pytest.mark.parametrize("body", ['{"error": {"message": "no"}}', '{"error": "no", "choices": []}', " <html></html>"])
def test_what_no_model_has_made_is_no_reply(body: str) -> None:
    assert read_completion(body.encode()) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), nested, max_leaves=8), st.binary(max_size=4))
def test_no_body_makes_the_reader_fail(value: Any, odd: bytes) -> None:
    for body in ({"choices": [{"message": value}]}, {"choices": [value], "usage": value}, {"choices": value}, value):
        whole = json.dumps(body).encode()
        read_completion(whole)
        read_completion(whole[: len(whole) // 2] + odd + whole[len(whole) // 2 :])


@pytest.mark.parametrize(
    ("choice", "ending"),
    [
        ({"finish_reason": "stop"}, "stop"),
        ({"finish_reason": "STOP"}, "stop"),
        ({"finish_reason": "eos_token"}, "stop"),
        ({"finish_reason": "model_length"}, "length"),
        ({"finish_reason": "sensitive"}, "content_filter"),
        ({"finish_reason": "content_filter: RECITATION"}, "content_filter"),
        ({"finish_reason": "network_error"}, "network_error"),
        ({"finish_reason": "abort"}, "abort"),
        ({"finish_reason": None}, None),
        ({"finish_reason": 1}, None),
        ({}, None),
        ({"finish_reason": "stop", "message": {"tool_calls": [{"id": "a"}]}}, "tool_calls"),
        ({"finish_reason": "stop", "message": {"tool_calls": []}}, "stop"),
        (
            {"finish_reason": "stop", "error": {"code": 502, "message": "Upstream\nis gone."}},
            "error: Upstream is gone.",
        ),
        ({"finish_reason": "stop", "error": "gone"}, "error: gone"),
    ],
)
def test_how_a_reply_ended_is_told_in_openais_words(choice: dict[str, Any], ending: str | None) -> None:
    body = {"choices": [{"message": {"content": "x"}} | choice]}
    reply = read_completion(json.dumps(body).encode())
    assert reply is not None
    assert reply.finish_reason == ending


def test_odd_but_complete_replies_are_read() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    body = {"choices": [{"message": {"content": parts}}], "usage": {"prompt_tokens": True, "completion_tokens": -1}}
    reply = read_completion(json.dumps(body).encode())
    assert reply == Completion("ab", None, None, "", None, None, None)
    lone = read_completion(b'{"choices": [{"message": {"content": "\\ud800"}}]}')
    assert lone is not None
    assert lone.text == "?"


def completion(**choice: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"content": "3"}, **choice}], "usage": {}}).encode()


NO_TEXTS: list[Any] = [None, 3, {}]
NO_LOGPROBS: list[Any] = [float("nan"), 1e5, 1.0, "x", None, 10**400, []]
ODD_TOKENS: list[Any] = [
    None, {"token": 1}, *({"token": odd, "logprob": -0.1} for odd in NO_TEXTS),
    *({"token": "3", "logprob": odd} for odd in NO_LOGPROBS),
]  # fmt: skip
ODD_LOGPROBS: list[Any] = [
    "many", 7, [], [{"token": "3", "logprob": -0.1}], {}, {"content": None}, {"content": []}, {"content": "3"},
    {"content": 3}, {"content": {"token": "3"}}, {"content": [{"token": "3", "logprob": -0.1, "top_logprobs": 3}]},
    *({"content": [token]} for token in ODD_TOKENS),
    *({"content": [{"token": "3", "logprob": -0.1, "top_logprobs": [token]}]} for token in ODD_TOKENS),
]  # fmt: skip


@pytest.mark.parametrize("logprobs", ODD_LOGPROBS, ids=str)
def test_odd_logprobs_are_none_and_the_reply_is_kept(logprobs: Any) -> None:
    reply = read_completion(completion(logprobs=logprobs))
    assert reply == Completion("3", None, None, "", None, None, None)


def test_logprobs_are_read_whole() -> None:
    token = {"token": "3", "logprob": 1e-7, "bytes": [51], "top_logprobs": [{"token": "2", "logprob": -9999}]}
    reply = read_completion(completion(logprobs={"content": [token]}))
    assert reply is not None
    assert reply.logprobs == [{"token": "3", "logprob": 1e-7, "top_logprobs": [{"token": "2", "logprob": -9999.0}]}]


def test_a_count_of_tokens_that_nothing_can_have_is_none() -> None:
    body = json.loads(completion()) | {"usage": {"prompt_tokens": 10**400, "completion_tokens": 10**9}}
    reply = read_completion(json.dumps(body).encode())
    assert reply is not None
    assert (reply.prompt_tokens, reply.reply_tokens) == (None, 10**9)


OVER_LONG = [
    "This model's maximum context length is 2048 tokens. However, you requested 3000 tokens.",
    "The decoder prompt (length 3000) is longer than the maximum model length of 2048.",
    "the request exceeds the available context size, try increasing it",
    "prompt is too long: 3000 tokens > 2048 maximum",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048.",
    "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.",
    "This model's maximum prompt length is 2048 but the request contains 3000 tokens.",
]


@pytest.mark.parametrize("message", OVER_LONG)
def test_an_over_long_prompt_is_known_by_the_words_of_every_server(message: str) -> None:
    assert is_about_one_prompt(message, "BadRequestError")


def test_what_every_prompt_would_meet_is_not_about_one_prompt() -> None:
    assert not is_about_one_prompt("max_tokens is too large: 9999. This model supports at most 4096.", "invalid_value")
    assert not is_about_one_prompt("'json_schema' is not supported.", None)
    assert is_about_one_prompt("No.", "content_filter")


def test_the_room_for_the_reply_counts_as_tokens() -> None:
    assert estimated_tokens({"messages": [{"content": "x" * 40}], "max_tokens": 100}) == 111
    assert estimated_tokens({"messages": [], "max_completion_tokens": 7}) == 8
    assert estimated_tokens({}) == 1


def test_a_body_is_written_compactly_and_never_fails_on_text() -> None:
    assert encoded({"a": ["é", 1]}) == '{"a":["é",1]}'.encode()
    assert json.loads(encoded({"a": "half \ud83d"})) == {"a": "half ?"}
    with pytest.raises(ValueError, match="JSON"):
        encoded({"a": float("nan")})


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", True),
        ("Unsupported value: 'temperature' does not support 0 with this model.", False),
        ("max_completion_tokens is larger than the model's context length allows", False),
    ],
)
def test_an_endpoint_says_that_it_wants_the_newer_name_of_max_tokens(message: str, wanted: bool) -> None:
    assert wants_newer_name(message, "invalid_request_error") is wanted


def test_only_the_name_of_max_tokens_becomes_newer() -> None:
    body = {"model": "m", "max_tokens": 7, "seed": 1}
    assert with_newer_name(body) == {"model": "m", "max_completion_tokens": 7, "seed": 1}
    assert body["max_tokens"] == 7
    assert with_newer_name({"model": "m"}) == {"model": "m"}


REPEATED = {
    "tokens": ["<s>", " So", " it"], "token_logprobs": [None, -0.5, -2.0],
    "top_logprobs": [None, {" So": -0.5}, {" it": -2.0, " is": -0.25}], "text_offset": [0, 3, 6],
}  # fmt: skip


def text_completion(**changes: Any) -> Completion:
    choice = {"text": "<s> So it", "finish_reason": "length", "logprobs": REPEATED | changes}
    found = read_completion(json.dumps({"object": "text_completion", "choices": [choice]}).encode())
    assert found is not None
    return found


def test_a_text_completion_has_its_text_and_a_log_probability_of_every_token_but_the_first() -> None:
    found = text_completion()
    assert (found.text, found.finish_reason, found.problem) == ("<s> So it", "length", None)
    assert found.logprobs is not None
    assert [one["logprob"] for one in found.logprobs] == [None, -0.5, -2.0]
    assert found.logprobs[2]["top_logprobs"] == [
        {"token": " it", "logprob": -2.0},
        {"token": " is", "logprob": -0.25},
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens": ["<s>", " So"]}, {"token_logprobs": None}, {"token_logprobs": [None, "x", -1.0]},
        {"token_logprobs": [None, 0.5, -1.0]}, {"top_logprobs": [None, [], 3]}, {"tokens": [1, 2, 3]},
    ],
)  # fmt: skip
def test_odd_log_probabilities_of_a_text_are_none_and_its_text_is_kept(changes: dict[str, Any]) -> None:
    found = text_completion(**changes)
    assert (found.text, found.logprobs) == ("<s> So it", None)


def test_a_prompt_of_tokens_counts_towards_a_limit() -> None:
    assert estimated_tokens({"prompt": [1] * 40, "max_tokens": 1}) == 42
