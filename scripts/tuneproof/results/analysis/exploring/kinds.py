"""Kinds of question where the questions have no tags: by their length, and by a word that many of them share.

No model and no chance in it: the same questions give the same kinds. The word that most questions
share comes first and takes its questions with it, then the word that most of the others share, and so on.
"""

import re
from collections import Counter
from collections.abc import Sequence

from tuneproof.records.rows import Question

MOST_WORDS = 8
FEWEST_QUESTIONS = 5  # that share a word, and a twentieth of all of them
LARGEST_SHARE = 0.5  # a word that more questions hold tells nothing apart
WORD = re.compile(r"[^\W\d_]{4,}")
# Words of English that say what is wanted or join others. Of other languages, those that most questions hold go too.
COMMON_WORDS = """
about above after again against also another answer because been before being below best better between both briefly
cannot come common compare could define describe difference different does doing done down each else ever every
example examples explain find first following from further generate give given good have having here into itself
just know like list long made main make many mean more most much must name need never only other over please provide
question rather sentence sentences short should show since some someone something still such suggest take tell than
that their them then there these they thing things this those three through time under until used uses using very
want well were what when where whether which while will with within without word words would write year years your
yourself
"""
TOPIC, NO_TOPIC = "topic", "(other)"  # a kind, and its value for the questions that share no word with others
COMMON = frozenset(COMMON_WORDS.split())


def tags_of(questions: Sequence[Question]) -> list[dict[str, str]]:
    """The questions' own tags, or kinds made from their words where no question has any."""
    own = [question.tags for question in questions]
    return own if any(own) else kinds([question.asked for question in questions])


def kinds(texts: Sequence[str]) -> list[dict[str, str]]:
    """The kinds of every question, in order: its `length` and its `topic`, each only where there are several."""
    found: list[dict[str, str]] = [{} for _ in texts]
    for name, values in (("length", lengths(texts)), (TOPIC, topics(texts))):
        if len(set(values)) > 1:
            for kind, value in zip(found, values, strict=True):
                kind[name] = value
    return found


def lengths(texts: Sequence[str]) -> list[str]:
    """The third of the questions, by characters, that each one is among.

    >>> lengths(["a" * 10, "a" * 20, "a" * 30])
    ['up to 10 characters', '11 to 20 characters', 'over 20 characters']
    """
    ordered = sorted(map(len, texts))
    short, long = (ordered[(len(ordered) * third - 1) // 3] if ordered else 0 for third in (1, 2))
    words = (f"up to {short:,} characters", f"{short + 1:,} to {long:,} characters", f"over {long:,} characters")
    return [words[(len(text) > short) + (len(text) > long)] for text in texts]


def topics(texts: Sequence[str]) -> list[str]:
    """A word that each question shares with others, which stands for its topic; `(other)` where it shares none."""
    words = [{singular(word) for word in WORD.findall(text.lower())} - COMMON for text in texts]
    counts = Counter(word for one in words for word in one)
    telling = {word for word, count in counts.items() if count <= LARGEST_SHARE * len(texts)}
    fewest = max(FEWEST_QUESTIONS, len(texts) // 20)
    found, left = [NO_TOPIC] * len(texts), set(range(len(texts)))
    for _ in range(MOST_WORDS):
        shared = Counter(one for place in left for one in words[place] & telling)
        if not shared:
            break
        word, count = min(shared.items(), key=lambda pair: (-pair[1], pair[0]))
        if count < fewest:
            break
        taken = {place for place in left if word in words[place]}
        for place in taken:
            found[place] = word
        left -= taken
    return found


def singular(word: str) -> str:
    """A plural with its s cut off, so that `token` and `tokens` are one word."""
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 4 else word
