"""The probability of each score that a judge could have given, from the alternatives at the score's token."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tuneproof.scoring.judging.rubric.objects import UnreadableError, what_is_said
from tuneproof.scoring.judging.rubric.reading import Criteria, Criterion, step_of

LEXEMES = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)


def score_probabilities(
    logprobs: Sequence[Mapping[str, Any]] | None, text: str | None, criteria: Criteria
) -> dict[str, dict[str, float]] | None:
    """Gives, per criterion, the probability of each step of its scale, from the alternatives at the score's token.

    Takes the reply's `logprobs.content` and its text. The probabilities of tokens that are no step are left out and the
    rest is scaled to 1. None, for all criteria, when for any of them it cannot be told: no logprobs, tokens that do not
    spell the text, a score of several tokens, or a step that could be the beginning of a longer one.
    """
    if not logprobs or text is None or not (spans := score_spans(text, criteria)):
        return None
    starts = token_starts(logprobs, text)
    probabilities = {}
    for name, criterion in criteria.items():
        first, end = spans[name]
        token = next((token for token, start in starts if start <= first and end <= start + len(token["token"])), None)
        steps = step_probabilities(token, criterion) if token else None
        if not steps:
            return None
        probabilities[name] = steps
    return probabilities


def expected_scores(
    logprobs: Sequence[Mapping[str, Any]] | None, text: str | None, criteria: Criteria
) -> dict[str, float] | None:
    """Gives the probability-weighted score per criterion, or None where the endpoint gave too little to tell."""
    probabilities = score_probabilities(logprobs, text, criteria)
    if probabilities is None:
        return None
    return {
        name: sum(step * probabilities[name].get(str(step), 0.0) for step in criterion.scale)
        for name, criterion in criteria.items()
    }


def require_possible(
    scores: Mapping[str, float], probabilities: Mapping[str, Mapping[str, float]] | None, criteria: Criteria
) -> None:
    """Raises an UnreadableError unless a reply can have these scores: steps, or what its probabilities make of them."""
    if scores.keys() != criteria.keys():
        raise UnreadableError(f"it scores {', '.join(sorted(scores)) or 'nothing'}, not {', '.join(sorted(criteria))}")
    for name, criterion in criteria.items():
        if probabilities is None:
            step_of(name, scores[name], criterion)
            continue
        steps = probabilities.get(name, {})
        expected = sum(step * steps.get(str(step), math.nan) for step in criterion.scale)
        total = sum(steps.values())
        if not (math.isclose(scores[name], expected, abs_tol=1e-6) and math.isclose(total, 1, abs_tol=1e-6)):
            raise UnreadableError(f"the score of {name} is not what its probabilities make it: {scores[name]:g}")


def token_starts(logprobs: Sequence[Mapping[str, Any]], text: str) -> list[tuple[Mapping[str, Any], int]]:
    """Pairs each token with its place in the text; empty when the tokens do not spell the text.

    vLLM also lists the token that ended the reply, which is no part of its text.
    """
    starts, position = [], 0
    for token in logprobs:
        starts.append((token, position))
        position += len(token["token"])
    return starts if "".join(token["token"] for token in logprobs).startswith(text) else []


def score_spans(text: str, criteria: Criteria) -> dict[str, tuple[int, int]] | None:
    """Finds where the score of each criterion stands in a readable reply."""
    try:
        objects = what_is_said(text).objects
    except UnreadableError:
        return None
    if len(objects) != 1:
        return None
    start, end = objects[0].start, objects[0].end
    spans: dict[str, tuple[int, int]] = {}
    path: list[str] = []
    key = ""
    for match in LEXEMES.finditer(text, start, end):
        lexeme = match.group()
        if lexeme in "{[":
            path.append(key)
        elif lexeme in "}]":
            path.pop()
        elif lexeme[0] == '"':
            key = json.loads(lexeme, strict=False)
        elif lexeme not in ":," and key == "score" and len(path) == 2:
            spans[path[1]] = match.span()
    return spans if set(spans) >= set(criteria) else None


def step_probabilities(token: Mapping[str, Any], criterion: Criterion) -> dict[str, float] | None:
    """The probability of each step at the score's token; None where the alternatives cannot tell it."""
    steps = {str(step): 0.0 for step in criterion.scale}
    seen = {token["token"].strip(" \n\t:,{}")}
    for alternative in token.get("top_logprobs") or []:
        spelled = alternative["token"].strip(" \n\t:,{}")
        seen.add(spelled)
        if spelled in steps:
            steps[spelled] += math.exp(alternative["logprob"])
    total = sum(steps.values())
    cut = any(long not in seen for long in steps for short in steps if long != short and long.startswith(short))
    return None if cut or total <= 0 else {step: probability / total for step, probability in steps.items()}
