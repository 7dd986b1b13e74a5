"""Made-up bad answers that teach the embedded judge what its hand-written training answers do not show it.

A judge that has only seen grammatical answers to the right question would score word salad, an empty reply or a good
answer to another question at random. All are made from the training part, by seeded chance.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

EMPTY_ANSWERS = ("", ".", "ok", "Yes.", "No.", "It depends.", "I do not know.", "Good question!", "The answer is")
SHORTEST_CUT = 8  # words; a shorter piece of a good answer says nothing yet
BABBLE_MEMORIES = (3, 4)  # letters that decide the next one
BABBLE_LENGTHS = (60, 350)  # characters
FINISHED_SHARE = 0.7  # of babble that ends with a sentence


@dataclass(frozen=True)
class Graded:
    """An answer to a question with both scores; `made` names the kind of a made-up one."""

    id: str
    instruction: str
    reference: str
    answer: str
    accuracy: int
    style: int
    made: str | None = None


def distractors(rows: Sequence[Graded], seed: int) -> list[Graded]:
    """Fourteen made-up answers to each question of the rows, from the rows' own texts."""
    chance = random.Random(seed)  # noqa: S311 - training data, nothing secret
    good = {row.id: row for row in sorted(rows, key=lambda row: (row.accuracy, row.style))}
    answers = [row.answer for row in rows]
    followers = defaultdict(list)
    for row in rows:
        tokens = row.answer.split()
        for first, second in pairwise(tokens):
            followers[first].append(second)
    made = []
    for question, best in sorted(good.items()):
        made += _off_topic(best, [row for row in rows if row.id != question], good, chance)
        made += _word_salad(best, answers, followers, chance)
        made += _too_short(best, chance)
    return made


def babble(rows: Sequence[Graded], seed: int) -> list[Graded]:
    """What a language model writes that has learnt spelling and no words: letter by letter, as they follow in the rows.

    It has the short words, contractions and sentences of good answers, and says nothing. One to each question by each
    memory.
    """
    chance = random.Random(seed)  # noqa: S311 - training data, nothing secret
    text = " ".join(row.answer for row in rows)
    made = []
    for memory in BABBLE_MEMORIES:
        followers = _following_letters(text, memory)
        for best in {row.id: row for row in rows}.values():
            written = _babbled(text, followers, memory, chance)
            made.append(_made(best, written, 1, 1, "babble"))
    return made


def _following_letters(text: str, memory: int) -> dict[str, list[str]]:
    """The letters that follow each run of so many letters in a text, as often as they do."""
    followers = defaultdict(list)
    for place in range(len(text) - memory):
        followers[text[place : place + memory]].append(text[place + memory])
    return followers


def _babbled(text: str, followers: dict[str, list[str]], memory: int, chance: random.Random) -> str:
    """One text that begins as a sentence does; most end with a full stop, the others anywhere."""
    start = chance.choice([place + 2 for place in range(len(text) - memory - 2) if text[place : place + 2] == ". "])
    written, length = text[start : start + memory], chance.randint(*BABBLE_LENGTHS)
    while len(written) < length:
        written += chance.choice(followers.get(written[-memory:], " "))
    if chance.random() < FINISHED_SHARE:
        return f"{written.rsplit(' ', 1)[0].rstrip('.,;:')}."
    return written


def _off_topic(best: Graded, others: Sequence[Graded], good: dict[str, Graded], chance: random.Random) -> list[Graded]:
    """A good and any answer to another question: accuracy 1, the style that it has."""
    borrowed = (good[chance.choice(others).id], chance.choice(others))
    return [_made(best, other.answer, 1, other.style, "off-topic") for other in borrowed]


def _word_salad(
    best: Graded, answers: Sequence[str], followers: dict[str, list[str]], chance: random.Random
) -> list[Graded]:
    """What an undertrained language model writes: words at random, in chains, broken, and right ones in no order."""
    pool = [word for answer in answers for word in answer.split()]
    length = chance.randint(15, 60)
    chain = [chance.choice(pool)]
    while len(chain) < length:
        chain.append(chance.choice(followers[chain[-1]] or pool))
    own = f"{best.instruction} {best.reference}".split()
    mixed = [chance.choice(own if chance.random() < 0.3 else pool) for _ in range(length)]
    texts = [[chance.choice(pool) for _ in range(length)], chain]
    texts += [
        _broken(text, pool, chance) for text in (mixed, chain, chance.choice(answers).split(), best.answer.split())
    ]
    for _ in range(2):
        shuffled = best.answer.split()
        chance.shuffle(shuffled)
        texts.append(shuffled)
    return [_made(best, " ".join(text), 1, 1, "word salad") for text in texts]


def _broken(text: Sequence[str], pool: Sequence[str], chance: random.Random) -> list[str]:
    """The text with a third to two thirds of its words run together from pieces of others, and a few said twice."""
    rate = chance.uniform(0.33, 0.67)
    broken = []
    for word in text:
        if chance.random() < rate:
            other = chance.choice(pool)
            broken.append(word[: chance.randint(0, len(word))] + other[chance.randint(0, len(other) - 1) :])
        else:
            broken += [word] * (2 if chance.random() < 0.05 else 1)
    return broken


def _too_short(best: Graded, chance: random.Random) -> list[Graded]:
    """A good answer cut mid-sentence (half right, halting), next to nothing, and the question said back."""
    tokens = best.answer.split()
    made = []
    for longest in (len(tokens) // 3, 2 * len(tokens) // 3):
        kept = chance.randint(2, max(longest, 3))
        score = 2 if kept >= SHORTEST_CUT else 1
        made.append(_made(best, " ".join(tokens[:kept]).rstrip(".,;:"), score, score, "cut"))
    made.append(_made(best, chance.choice(EMPTY_ANSWERS), 1, 1, "empty"))
    made.append(_made(best, best.instruction, 1, 1, "empty"))
    return made


def _made(best: Graded, answer: str, accuracy: int, style: int, kind: str) -> Graded:
    return Graded(best.id, best.instruction, best.reference, answer, accuracy, style, kind)
