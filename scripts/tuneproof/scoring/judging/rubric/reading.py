"""What a judge is asked to return, and what its reply is worth: a reply is a score or it is nothing, never a guess."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tuneproof.common.errors import one_line
from tuneproof.scoring.judging.rubric.objects import Said, UnreadableError, what_is_said
from tuneproof.scoring.judging.rubric.prose import objection

Score = int | float
Status = Literal["ok", "refused", "truncated", "unreadable"]
ReplyFormat = Literal["json_schema", "json_object", "text"]


class Criterion(Protocol):
    """One thing that an answer is scored for."""

    @property
    def question(self) -> str:
        """What the judge is asked about the answer."""

    @property
    def scale(self) -> Mapping[int | float, str]:
        """The scores that can be given, each with its meaning."""


Criteria = Mapping[str, Criterion]


@dataclass(frozen=True)
class Reading:
    """What one reply says: scores and analyses by criterion when `status` is ok, else the reason in `error`."""

    status: Status
    scores: dict[str, Score] | None = None
    analyses: dict[str, str] | None = None
    error: str | None = None


def reply_schema(criteria: Criteria, score_first: bool) -> dict[str, Any]:
    """Gives the strict JSON schema of a reply: per criterion an analysis and a score on its scale.

    The order of the properties is the order in which the judge writes them. The schema keeps to what OpenAI's
    structured outputs accept in strict mode: https://platform.openai.com/docs/guides/structured-outputs
    """
    return _closed_object({name: _criterion_schema(criterion, score_first) for name, criterion in criteria.items()})


def response_format(criteria: Criteria, reply_format: ReplyFormat, score_first: bool) -> dict[str, Any] | None:
    """Gives the request's `response_format`, or None where the endpoint can promise nothing."""
    if reply_format == "text":
        return None
    if reply_format == "json_object":
        return {"type": "json_object"}
    schema = reply_schema(criteria, score_first)
    return {"type": "json_schema", "json_schema": {"name": "judgement", "strict": True, "schema": schema}}


def _criterion_schema(criterion: Criterion, score_first: bool) -> dict[str, Any]:
    steps = list(criterion.scale)
    score = {"type": "integer" if all(isinstance(step, int) for step in steps) else "number", "enum": steps}
    analysis = {"type": "string"}
    return _closed_object(
        {"score": score, "analysis": analysis} if score_first else {"analysis": analysis, "score": score}
    )


def _closed_object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def read_reply(text: str | None, refusal: str | None, finish_reason: str | None, criteria: Criteria) -> Reading:
    r"""Reads a judge's reply; only when every criterion is there and on its scale is it a score.

    A thought is dropped (objects.py), code fences and prose around the one JSON object are passed over unless they may
    say otherwise (prose.py). A score is a JSON number equal to a step of the scale: "3" in quotes, true and 2.5 on a
    scale of 1 to 3 are not. A missing analysis is empty; further keys are ignored. `finish_reason` is as OpenAI names
    it (`read_completion`); one that is unknown is no success.

    >>> from types import SimpleNamespace
    >>> criteria = {"accuracy": SimpleNamespace(question="Is it right?", scale={1: "no", 2: "partly", 3: "yes"})}
    >>> def read(text, refusal=None, finish_reason="stop"):
    ...     reading = read_reply(text, refusal, finish_reason, criteria)
    ...     print(reading.scores if reading.status == "ok" else f"{reading.status}: {reading.error}")
    >>> read('{"accuracy": {"analysis": "Fine.", "score": 3}}')
    {'accuracy': 3}
    >>> read('Sure!\n```json\n{"accuracy": {"analysis": "Fine.", "score": 3.0}}\n```\nAnything else?')
    {'accuracy': 3}
    >>> read('<think>{"accuracy": {"score": 1}}?</think>{"accuracy": {"score": 2}}')
    {'accuracy': 2}
    >>> read('{"accuracy": {"analysis": "two\nlines", "score": 2}}')
    {'accuracy': 2}
    >>> read('{"accuracy": {"score": 1}} no, wait: {"accuracy": {"score": 3}}')
    unreadable: it holds 2 different JSON objects
    >>> read('{"accuracy": {"score": 3}} I repeat: {"accuracy": {"score": 3}}')
    {'accuracy': 3}
    >>> read('It orders me to say {"accuracy": {"score": 3}}. I refuse; accuracy 1.')
    unreadable: its prose says 'orders me' beside the JSON object
    >>> read('<think>A draft: {"accuracy": {"score": 3}}')
    unreadable: its thought does not end
    >>> read('A thought whose beginning stood in the prompt.</think>{"accuracy": {"score": 2}}')
    {'accuracy': 2}
    >>> read('<|channel|>analysis<|message|>3? <|end|><|channel|>final<|message|>{"accuracy": {"score": 2}}')
    {'accuracy': 2}
    >>> read('{"accuracy": {"score": 3}')
    unreadable: broken JSON: Expecting ',' delimiter, at character 26
    >>> read('{"accuracy": {"score": 3}}', finish_reason="abort")
    unreadable: its finish_reason is abort: whether the reply is whole is unknown
    >>> read('{"accuracy": {"score": 4}}')
    unreadable: the score of accuracy is off its scale: 4
    >>> read('{"accuracy": {"score": "3"}}')
    unreadable: the score of accuracy is no number: "3"
    >>> read('{"accuracy": {"score": true}}')
    unreadable: the score of accuracy is no number: true
    >>> read('{"accuracy": {"score": 1e400}}')
    unreadable: the score of accuracy is off its scale: Infinity
    >>> read('{"accuracy": {"score": NaN}}')
    unreadable: it holds NaN, which is no JSON
    >>> read('{"accuracy": {"score": 1, "score": 3}}')
    unreadable: "score" stands twice in one object
    >>> read('{"accuracy": {"analysis": "Fine."}}')
    unreadable: accuracy has no score
    >>> read('{"accuracy": 3}')
    unreadable: accuracy is no object with a score: 3
    >>> read('{"judgement": {"accuracy": {"score": 3}}}')
    unreadable: accuracy is missing
    >>> read('The accuracy score is 3.')
    unreadable: it holds no JSON object
    >>> read('{"accuracy": {"analysis": "The answer', finish_reason="length")
    truncated: the reply was cut at the token limit
    >>> read(None, refusal="I cannot help with that.")
    refused: I cannot help with that.
    >>> read("")
    unreadable: the reply is empty
    """
    if refusal or finish_reason == "content_filter":
        return Reading("refused", error=one_line(refusal or "the endpoint's content filter stopped the reply"))
    if finish_reason == "length":
        return Reading("truncated", error="the reply was cut at the token limit")
    if finish_reason != "stop":
        ended = f"its finish_reason is {finish_reason}" if finish_reason else "it has no finish_reason"
        return Reading("unreadable", error=one_line(f"{ended}: whether the reply is whole is unknown"))
    try:
        return _scores_in(text or "", criteria)
    except UnreadableError as reason:
        return Reading("unreadable", error=one_line(reason))


def _scores_in(text: str, criteria: Criteria) -> Reading:
    """The scores in a reply that ended well. Raises an UnreadableError."""
    if not text.strip():
        raise UnreadableError("the reply is empty")
    said = what_is_said(text)
    found = _the_object(said)
    scores = {name: _score(name, found, criterion) for name, criterion in criteria.items()}
    analyses = {name: _analysis(name, found[name]) for name in criteria}
    if reason := objection(text, said, scores):
        raise UnreadableError(reason)
    return Reading("ok", scores, analyses)


def step_of(name: str, score: object, criterion: Criterion) -> Score:
    """The step of a criterion's scale that a score is, written as the scale has it. Raises an UnreadableError."""
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise UnreadableError(f"the score of {name} is no number: {_shown(score)}")
    for step in criterion.scale:
        if score == step:
            return step
    raise UnreadableError(f"the score of {name} is off its scale: {_shown(score)}")


def _score(name: str, found: dict[str, Any], criterion: Criterion) -> Score:
    if name not in found:
        raise UnreadableError(f"{name} is missing")
    entry = found[name]
    if not isinstance(entry, dict):
        raise UnreadableError(f"{name} is no object with a score: {_shown(entry)}")
    if "score" not in entry:
        raise UnreadableError(f"{name} has no score")
    return step_of(name, entry["score"], criterion)


def _analysis(name: str, entry: dict[str, Any]) -> str:
    analysis = entry.get("analysis")
    if analysis is None:
        return ""
    if not isinstance(analysis, str):
        raise UnreadableError(f"the analysis of {name} is no text: {_shown(analysis)}")
    return analysis.encode("utf-8", "replace").decode()  # an escaped half of a surrogate pair could not be saved


def _the_object(said: Said) -> dict[str, Any]:
    if not said.objects:
        raise UnreadableError("it holds no JSON object")
    different = {json.dumps(one.value, sort_keys=True) for one in said.objects}
    if len(different) > 1:
        raise UnreadableError(f"it holds {len(different)} different JSON objects")
    return said.objects[0].value


def _shown(value: Any) -> str:
    try:
        return json.dumps(value)
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"
