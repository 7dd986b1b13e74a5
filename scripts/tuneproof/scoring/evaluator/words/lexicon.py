"""Words as the model sees them: tokens, stems, sentences, coarse word classes and short word lists."""

import re
from collections import Counter
from itertools import pairwise

BOUNDARY = "|"  # stands for the start and end of a sentence among word classes
NGRAM_LENGTHS = (3, 4)

_WORD = re.compile(r"[^\W_]+(?:['.\-][^\W_]+)*")  # letters and digits of any script
_SENTENCE_END = re.compile(r"[.!?;]+(?:\s+|$)")


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CLASSES = {
    "determiner": "a an the this that these those its their your our his her each every some any no all both",
    "preposition": "of in on at by for with from into to over under between across through per without within during "
    "before after against about as like than until",
    "auxiliary": "is are was were be been being am has have had do does did can could may might must should would will "
    "shall cannot can't don't doesn't isn't won't aren't didn't",
    "pronoun": "i you it he she they we them us one it's you're that's you'll they're who which what there there's",
    "conjunction": "and or but so because if when while whereas since although though whether once where how why",
    "negation": "not never nor neither",
}
_CLASS_OF = {word: name for name, listed in _CLASSES.items() for word in listed.split()}
_SUFFIXES = ("ing", "ed", "ly", "ion", "s", "er")
FUNCTION_WORDS = frozenset(_CLASS_OF) | _listed("also just only more most much many very then too up out off down")
# a sentence that ends on one of these was cut, or never was one
DANGLING = _listed(
    "a an the its their your our every and or but because if when while whereas of into than per between is are was "
    "be been being has have can could may might must should would will which who so as whether from these"
)

NEGATIONS = _listed(
    "not no never none nothing nor neither without cannot can't don't doesn't isn't won't aren't didn't wasn't "
    "couldn't wouldn't shouldn't hardly avoid avoids"
)
ABSOLUTES = _listed(
    "always never every all none nothing guaranteed guarantee guarantees only any exactly entirely completely fully "
    "forever perfect perfectly impossible automatically simply solely alone whatever anyway sole invariably "
    "wholly altogether precisely everything everyone"
)
HEDGES = _listed(
    "usually often mostly roughly about can may might tends tend around typically generally sometimes most likely "
    "some many rarely almost nearly largely partly where if unless though but depends approximately commonly"
)
HYPE = _listed(
    "game changer unlock unlocks unlocking leverage leveraging empower empowers journey synergy synergies exciting "
    "vision brand revolutionary powerful seamless holistic innovation innovative transform transforms strategy "
    "strategic mindset landscape world-class best-in-class next-level cutting-edge robust elevate embrace potential "
    "organisation organisations business success stakeholders truly great amazing future value essential crucial "
    "matters excellence needs goals unique bold key tomorrow today everyone teams power passion balance trust"
)
FORMAL = _listed(
    "thereby whereby thereof therein whilst hence aforementioned constitutes constitute pertains pertain inasmuch "
    "notwithstanding wherein herein shall ought upon said respective respectively consequently accordingly "
    "furthermore moreover latter former thus namely utilisation utilization employment advisable requisite "
    "necessitates necessitate entails entail predicated whence insofar regarded attributable engenders "
    "one ascertained considerable substantial manifested principally concomitant viz albeit aforesaid recourse "
    "warranted deemed rendered renders permitting facilitates facilitate obviates evinces denotes comprises"
)
SECOND_PERSON = _listed("you your you're you'll you've you'd yourself yours")
PLAIN_OPENINGS = _listed("because since so and but think yes no mostly mainly short basically say picture imagine")
FLAT_OPENINGS = _listed("the a an in by it")
_PAIRS = """
higher/lower high/low more/less more/fewer larger/smaller large/small big/small increase/decrease
increases/reduces raises/lowers rises/falls faster/slower fast/slow better/worse before/after first/last
same/different early/late linear/quadratic linearly/quadratically easy/hard cheap/expensive input/output
offline/online with/without precision/recall training/inference short/long shorter/longer exact/approximate
up/down prefill/decode dense/sparse local/global
"""
OPPOSITES = tuple((here, there) for here, _, there in (pair.partition("/") for pair in _PAIRS.split()))


def words(text: str) -> list[str]:
    """The lower-case words and numbers of a text."""
    return _WORD.findall(text.lower())


def stem(word: str) -> str:
    """A crude stem that lets `quantize` meet `quantization`: five characters, without a plural s."""
    short = word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
    return short[:5]


def content_stems(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order."""
    return [stem(word) for word in words(text) if word not in FUNCTION_WORDS]


def sentences(text: str) -> list[str]:
    """The text cut after full stops, question and exclamation marks and semicolons; only parts that hold a word."""
    return [part for part in _SENTENCE_END.split(text) if _WORD.search(part.lower())]


def character_ngrams(text: str) -> Counter[str]:
    """Counts of the 3- and 4-grams inside words, padded with a space at both ends."""
    counts: Counter[str] = Counter()
    for word in words(text):
        padded = f" {word} "
        for length in NGRAM_LENGTHS:
            counts.update(padded[start : start + length] for start in range(len(padded) - length + 1))
    return counts


def terms(text: str) -> Counter[str]:
    """Counts of words and word pairs, the vocabulary of the TF-IDF features."""
    found = words(text)
    counts = Counter(found)
    counts.update(f"{first} {second}" for first, second in pairwise(found))
    return counts


def word_classes(text: str) -> list[str]:
    """The coarse word class of every word, with BOUNDARY around sentences."""
    classes = [BOUNDARY]
    for sentence in sentences(text):
        classes += [_word_class(word) for word in words(sentence)]
        classes.append(BOUNDARY)
    return classes


def _word_class(word: str) -> str:
    if word in _CLASS_OF:
        return _CLASS_OF[word]
    if word[0].isdigit():
        return "number"
    return next((suffix for suffix in _SUFFIXES if word.endswith(suffix)), "other")
