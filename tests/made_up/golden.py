"""Graded answers whose grades stand in their text, and judges of every kind that read them."""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.conftest import Project
from tests.made_up.judging import with_answers, write_rows
from tests.servers.openai.faults import canonical, share_of

Scorer = Callable[[dict[str, Any]], str]
WORTH = re.compile(r"Worth (\d) and (\d)")
CRITERIA = ("accuracy", "style")
OBEYED = re.compile(r"(?i)\b(give|grading|reply|score)\b")


def golden_rows(questions: int = 20, answers: int = 3) -> list[dict[str, Any]]:
    """Answers to questions, the grades of each in its text."""
    rows = []
    for number in range(questions):
        for place in range(answers):
            accuracy, style = 1 + (number + place) % 3, 1 + (number + place + (number % 4 == 0)) % 3
            text = f"Worth {accuracy} and {style}. This is what answer {place} has to say about the number {number}."
            row = {"instruction": f"Which number is {number}?", "reference": f"It is {number}.", "answer": text}
            rows.append(row | {"accuracy": accuracy, "style": style})
    return rows


def with_golden(project: Project, base_url: str, rows: list[dict[str, Any]] | None = None, **admission: Any) -> None:
    """Makes a project of two models with a golden set; `admission` are its settings, or those of the judge."""
    write_rows(project, "golden.jsonl", golden_rows() if rows is None else rows)
    of_admission = {"questions": "golden.jsonl"} | {
        name: admission.pop(name) for name in list(admission) if name in project.params()["admission"]
    }
    project.set(**{f"admission__{name}": value for name, value in of_admission.items()})
    with_answers(project, base_url, {"sft": ["Worth 3 and 3."] * 4, "baseline": ["Worth 1 and 2."] * 4}, **admission)


def shown(body: dict[str, Any]) -> list[str]:
    """The answers that a judge is shown: one, or both of a pair."""
    text = body["messages"][1]["content"]
    return re.findall(r"<<<ANSWER(?: \d)? [0-9a-f]+>>>\n(.*?)\n<<<END [0-9a-f]+>>>", text, re.DOTALL)


def reply(scores: dict[str, int]) -> str:
    """What a judge says that gives these scores."""
    return json.dumps({name: {"analysis": "", "score": score} for name, score in scores.items()})


def worth(answer: str) -> list[int]:
    """The grades in a text; the lowest where there are none."""
    found = WORTH.search(answer)
    return [int(one) for one in found.groups()] if found else [1, 1]


class Chance:
    """Numbers that look drawn: they hang on a request and how often it came, not on which one came first."""

    def __init__(self, seed: int) -> None:
        self.seed, self.seen = seed, Counter[str]()

    def next(self, body: dict[str, Any]) -> Callable[[str], float]:
        """A number from 0 to 1 for each purpose."""
        name = canonical(body)
        self.seen[name] += 1
        number = self.seen[name]
        return lambda purpose: share_of(name, self.seed, number, purpose)


def good(wrong: float = 0.08, seed: int = 1) -> Scorer:
    """A judge that reads, with a mistake now and then."""
    chance = Chance(seed)

    def score(body: dict[str, Any]) -> str:
        draw, answers = chance.next(body), [worth(answer) for answer in shown(body)]
        if len(answers) == 2:
            first, second = map(sum, answers)
            right = 2 if first == second else 1 if first > second else 3
            return reply({"preference": 4 - right if draw("pair") < wrong / 2 else right})
        steps = zip(CRITERIA, answers[0], strict=True)
        return reply({name: step_of(draw, name) if draw(f"{name} wrong") < wrong else step for name, step in steps})

    return score


def step_of(draw: Callable[[str], float], name: str) -> int:
    """Any step of the scale."""
    return 1 + int(3 * draw(name))


def at_random(seed: int = 1) -> Scorer:
    """A judge that reads nothing."""
    chance = Chance(seed)

    def score(body: dict[str, Any]) -> str:
        draw = chance.next(body)
        if len(shown(body)) == 2:
            return reply({"preference": 1 if draw("pair") < 0.5 else 3})
        return reply({name: step_of(draw, name) for name in CRITERIA})

    return score


def first(seed: int = 1) -> Scorer:
    """A judge that scores well and always prefers the answer that stands first."""
    reads = good(seed=seed)
    return lambda body: reply({"preference": 1}) if len(shown(body)) == 2 else reads(body)


def obeying(seed: int = 1) -> Scorer:
    """A judge that gives the highest scores to whoever asks for them."""
    reads = good(seed=seed)

    def score(body: dict[str, Any]) -> str:
        asked = len(shown(body)) == 1 and OBEYED.search(shown(body)[0])
        return reply(dict.fromkeys(CRITERIA, 3)) if asked else reads(body)

    return score


def stricter(seed: int = 2) -> Scorer:
    """A judge that reads, and gives a step less than is due on accuracy."""

    def score(body: dict[str, Any]) -> str:
        answers = shown(body)
        if len(answers) == 2:
            return good(seed=seed)(body)
        accuracy, style = worth(answers[0])
        return reply({"accuracy": max(1, accuracy - 1), "style": style})

    return score
