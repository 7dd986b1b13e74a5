"""Whether the prose around a reply's object leaves no doubt that the object is the judge's own score.

A judge that is given an order to quote often quotes it: "it wants me to say {...}. I refuse". Nobody can tell by rule
what prose means, so this errs towards no score: the reply is asked for again, and no score is invented.
"""

import re
from collections.abc import Mapping
from itertools import pairwise

from tuneproof.scoring.judging.rubric.objects import Said

LONGEST_CLOSING_CHARACTERS = 150
LONGEST_INTRODUCTION_CHARACTERS = 200
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

# Code fences, tags and the special tokens that a server left in: none of them is prose.
WRAPPING = re.compile(r"```\w*|</?[A-Za-z_]+>|<\|[\w ]+\|>|[*\[\]]")
ENDS_BEFORE_AN_OBJECT = frozenset(":=.!?-\u2026\u3002\uff01\uff1a\uff1f")  # of prose on the object's own line
SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f]\s+")

POLITE = re.compile(
    r"\b(?:hope|helps?|let me know|anything else|feel free|thanks?|thank you|glad|happy to|questions?|welcome"
    r"|that(?:'s| is) (?:all|it)|regards|done|my (?:judge?ment|verdict|evaluation|scores?)"
    r"|repeat|again|once more)\b",
    re.IGNORECASE,
)
QUOTING = re.compile(
    r"\b(?:sa(?:y|ys|id|ying)|order\w*|demand\w*|command\w*|instruct\w*|tell(?:s|ing)?|told|asks|asked me|claim\w*"
    r"|want(?:s|ed)|insist\w*|pretend\w*|quot\w+|contain(?:s|ed)|reads|writes|wrote|written|trick\w*|attack\w*|example"
    r"|suppos\w+|imagin\w+|draft\w*|maybe|perhaps|wait|hm+|initially|tempt\w*|attempt\w*|tr(?:y|ies|ied|ying)|forc\w+"
    r"|suggest\w*|propos\w+|possibl[ey]|fake\w*|forged?|hidden|alleged\w*|so-called|ends with|begins with|starts with"
    r"|following (?:text|line|answer)|might|could|if)\b",
    re.IGNORECASE,
)
CONTRARY = re.compile(
    r"\b(?:not|never|no|nor|cannot|without|instead|however|but|although|though|unless|rather|actually|wrong|would"
    r"|should|refus\w*|reject\w*|declin\w*|ignor\w*|disregard\w*|resist\w*|false|incorrect|lower|higher)\b|n't\b",
    re.IGNORECASE,
)
REFUSING = re.compile(
    r"\bI (?:\w+ ){0,2}(?:refuse|decline|reject|ignore|disregard|resist)\b"
    r"|\bI(?: will|'ll| do| can| shall| must) not\b"
    r"|\bI (?:won|can|don|shan)'t\b|\b(?:inject|manipulat|jailbreak)\w*"
    r"|\b(?:order|tell|ask|want|instruct|demand|command|beg|urge|push|tempt)\w* (?:that )?"
    r"(?:me|I|the (?:judge|grader|evaluator|model))\b"
    r"|ich weigere|verweiger|je refuse|rechazo|me niego|отказыва|拒绝|拒絕|拒否|거부",
    re.IGNORECASE,
)


def objection(text: str, said: Said, scores: Mapping[str, float]) -> str | None:
    """Why the prose around the objects makes them no score; None where there is none, or none that says otherwise.

    The objects are equal; `scores` are theirs, by criterion.
    """
    text = text.replace("\u2019", "'")
    ends = [said.start, *(one.end for one in said.objects)]
    starts = [*(one.start for one in said.objects), len(text)]
    pieces = [text[end:start] for end, start in zip(ends, starts, strict=True)]
    prose = " ".join(pieces)
    if refused := REFUSING.search(prose):
        return f"its prose says {refused.group()!r} beside the JSON object"
    if other := other_score(prose, scores):
        return f"its prose gives another score than the JSON object: {other!r}"
    for before, after in pairwise(pieces):
        if not stands_apart(before, after) or QUOTING.search(introduction(before)):
            return "its JSON object is quoted in prose"
        if not is_polite(after, scores):
            return "prose follows its JSON object, which may say otherwise"
    return None


def stands_apart(before: str, after: str) -> bool:
    """Whether an object is no part of a sentence: what stands on its line before it has ended, or is no word."""
    line = WRAPPING.sub("", before).rpartition("\n")[2].strip()
    follows = unwrapped(after)[:1]
    no_words = not any(letter.isalpha() for letter in line)
    return (no_words or line[-1] in ENDS_BEFORE_AN_OBJECT) and not follows.strip()


def unwrapped(after: str) -> str:
    """What follows an object, without a brace too many and without what is no prose."""
    return WRAPPING.sub(" ", after.lstrip("}"))


def introduction(before: str) -> str:
    """The last two sentences before an object."""
    shown = WRAPPING.sub(" ", before)[-LONGEST_INTRODUCTION_CHARACTERS:].strip()
    return " ".join(SENTENCE_END.split(shown)[-2:])


def is_polite(after: str, criteria: Mapping[str, float]) -> bool:
    """Whether nothing follows an object, or a short sentence that is about no score."""
    closing = unwrapped(after).strip()
    if not closing:
        return True
    about_a_score = (
        any(letter.isnumeric() or letter in '{}"' for letter in closing)
        or re.search(rf"\b(?:{'|'.join([*NUMBER_WORDS, *map(re.escape, criteria)])})\b", closing, re.IGNORECASE)
        or CONTRARY.search(closing)
        or QUOTING.search(closing.replace("if you", ""))
    )
    return len(closing) <= LONGEST_CLOSING_CHARACTERS and bool(POLITE.search(closing)) and not about_a_score


def other_score(prose: str, scores: Mapping[str, float]) -> str | None:
    """The words by which prose gives a criterion another score than the object does, such as `accuracy: 1`."""
    number = rf"(\d+(?:\.\d+)?|{'|'.join(NUMBER_WORDS)})\b"
    for name, score in scores.items():
        named = re.escape(name).replace("_", "[ _]")
        for pattern in (
            rf"\b{named}(?:\W+(?:score|rating|is|gets|deserves|of|at|an?))*\W{{1,4}}{number}",
            rf"\b{number}(?:\s*/\s*\d+)? (?:for|in|on) (?:the )?{named}\b",
        ):
            for found in re.finditer(pattern, prose, re.IGNORECASE):
                if value_of(found.group(1)) != score:
                    return found.group()
    return None


def value_of(number: str) -> float:
    """A number as prose writes it."""
    word = number.lower()
    return float(NUMBER_WORDS.index(word)) if word in NUMBER_WORDS else float(number)
