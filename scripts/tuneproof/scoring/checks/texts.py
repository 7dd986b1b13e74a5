"""Checks of an answer as a text: its length, its language, loops, refusals, whether it was cut."""

import re
from functools import lru_cache
from itertools import starmap
from operator import eq

from tuneproof.scoring.checks.finding import Finding, verdict
from tuneproof.settings.evidence.check_kinds import Language, Length, Refusal, Repetition

WORD = re.compile(r"\w+(?:['\u2019.\-]\w+)*")
SENTENCE_END = re.compile(r"[.!?\u3002\uff01\uff1f]+[\"'\u201d\u2019)\]]*(?:\s|$)")
LONGEST_LOOP_WORDS = 20
LEAST_LOOPED_WORDS = 12  # "no, no, no, no" is no loop
READ_FOR_LANGUAGE_CHARACTERS = 1_000  # of 541 answers 540 were told alike as by the whole text, in 2/3 of the time
READ_FOR_REFUSAL_CHARACTERS = 200


def length(answer: str, settings: Length) -> Finding:
    """1 where the answer has as many words, sentences or characters as asked for.

    >>> length("One, two, three.", Length(kind="words", at_most=3))
    Finding(value=1.0, reason='3 words')
    >>> length("It is. It was!", Length(kind="sentences", at_least=3))
    Finding(value=0.0, reason='2 sentences, fewer than 3')
    >>> length("Too long", Length(kind="characters", at_most=5))
    Finding(value=0.0, reason='8 characters, more than 5')
    """
    count = {"words": count_words, "sentences": count_sentences, "characters": len}[settings.kind](answer)
    if settings.at_least is not None and count < settings.at_least:
        return Finding(0.0, f"{count} {settings.kind}, fewer than {settings.at_least}")
    if settings.at_most is not None and count > settings.at_most:
        return Finding(0.0, f"{count} {settings.kind}, more than {settings.at_most}")
    return Finding(1.0, f"{count} {settings.kind}")


def count_words(text: str) -> int:
    """Runs of letters and digits; what a hyphen, an apostrophe or a point joins is one word."""
    return len(WORD.findall(text))


def count_sentences(text: str) -> int:
    """Ends of sentences before white space or the end, and what stands after the last of them."""
    parts = SENTENCE_END.split(text)
    return sum(1 for part in parts if part.strip())


def language(answer: str, settings: Language) -> Finding:
    """1 where the answer is in the language; without letters nothing can be said.

    langdetect (Google's language-detection in Python), seeded, so that it says the same each time.

    >>> load_languages()
    >>> language("Der Hund schläft heute den ganzen Tag im Garten.", Language(kind="language", language="de"))
    Finding(value=1.0, reason='it reads as de')
    >>> language("The dog sleeps in the garden all day long.", Language(kind="language", language="de"))
    Finding(value=0.0, reason='it reads as en')
    >>> language("42", Language(kind="language", language="de"))
    Finding(value=None, reason='there is too little text to tell its language')
    """
    from langdetect import LangDetectException, detect

    try:
        found = str(detect(answer[:READ_FOR_LANGUAGE_CHARACTERS]))
    except LangDetectException:
        return Finding(None, "there is too little text to tell its language")
    return Finding(float(found == settings.language), f"it reads as {found}")


@lru_cache
def load_languages() -> None:
    """Has langdetect load its profiles, and say the same of a text each time."""
    from langdetect import DetectorFactory, detect

    DetectorFactory.seed = 0
    detect("This loads them.")


def repetition(answer: str, settings: Repetition) -> Finding:
    """1 where no run of 1 to 20 words stands again and again, one directly after the other.

    >>> repetition("It rains. It snows. It rains again.", Repetition(kind="repetition"))
    Finding(value=1.0, reason='no loop')
    >>> repetition("So we go on " + "and on and on " * 6, Repetition(kind="repetition"))
    Finding(value=0.0, reason="a loop of 2 words: 'on and'")
    """
    words = [word.casefold() for word in WORD.findall(answer)]
    runs = {period: run_of_equals(period, settings.times) for period in range(1, LONGEST_LOOP_WORDS + 1)}
    if all_differ(words, min(runs.values())):
        return Finding(1.0, "no loop")
    for period, run in runs.items():
        same = bytes(starmap(eq, zip(words, words[period:], strict=False)))
        start = same.find(b"\x01" * run)
        if start >= 0:
            looped = " ".join(words[start : start + period])[:80]
            return Finding(0.0, f"a loop of {period} word{'s' if period > 1 else ''}: {looped!r}")
    return Finding(1.0, "no loop")


def run_of_equals(period: int, times: int) -> int:
    """How many words in a row equal the one `period` words later, where so many words stand so many times."""
    return max((times - 1) * period, LEAST_LOOPED_WORDS - period)


def all_differ(words: list[str], length: int) -> bool:
    """Whether no run of so many words stands twice anywhere; quick, and most answers hold no such run."""
    runs = list(zip(*(words[start:] for start in range(length)), strict=False))
    return len(set(runs)) == len(runs)


def refusal(answer: str, settings: Refusal) -> Finding:
    r"""1 where none of the phrases stands near the beginning, in small or capital letters.

    >>> refusal("Sure. Mix the flour with water.", Refusal(kind="refusal"))
    Finding(value=1.0, reason='it does not refuse')
    >>> refusal("I'm sorry, but I can't help with that.", Refusal(kind="refusal"))
    Finding(value=0.0, reason='it says "i can\'t help"')
    """
    said = " ".join(answer[:READ_FOR_REFUSAL_CHARACTERS].replace("\u2019", "'").casefold().split())
    found = next((phrase for phrase in settings.phrases if phrase.replace("\u2019", "'").casefold() in said), None)
    return verdict(found is None, "it does not refuse", f"it says {found!r}")


def finish(finish_reason: str) -> Finding:
    """1 where the model ended its answer itself.

    >>> finish("stop")
    Finding(value=1.0, reason='it ended by itself')
    >>> finish("length")
    Finding(value=0.0, reason='it was cut at the most tokens that it may have')
    """
    return verdict(finish_reason == "stop", "it ended by itself", "it was cut at the most tokens that it may have")
