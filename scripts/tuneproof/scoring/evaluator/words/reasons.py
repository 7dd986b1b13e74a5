"""Why a model of words scores an answer as it does: what weighed most, in a sentence.

What a feature weighs is its weight times its value, which counts from the mean of the training texts. Features that
say nearly the same are weighed together, for their weights share what they have in common.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.scoring.evaluator.words import lexicon
from tuneproof.scoring.evaluator.words.corpus import Corpus
from tuneproof.scoring.evaluator.words.features import FINISHED, ODD_TRANSITION, transitions_of, unknown_words
from tuneproof.scoring.evaluator.words.lexicon import stem, words
from tuneproof.scoring.evaluator.words.model import MAX_CHARACTERS, WordModel, measured

MOST_REASONS = 3
MOST_WORDS = 3  # that a reason names
LONGEST_WORD = 24  # characters; a longer one is cut
SMALL = 0.1  # log-odds; what weighs less is no reason

TERM = "term "  # as the model calls its contributions that are words or pairs of words

Fact = Callable[[Texts], str]


def reason(model: WordModel, row: Texts, towards: Sequence[float]) -> str:
    """What speaks for an answer and what against it, the weightiest first, beside an average answer.

    `towards` says for each logit how much it counts for the answer.
    """
    row = seen(model, row)
    by_name = contributions(model, row, towards)
    found = weights(by_name, facts(model), named_words(by_name))
    weighed = sorted(found.items(), key=lambda one: -abs(one[1]))
    chosen = [(fact, weight) for fact, weight in weighed if abs(weight) >= SMALL][:MOST_REASONS]
    sides = {
        "For it": [fact(row) for fact, weight in chosen if weight > 0],
        "Against it": [fact(row) for fact, weight in chosen if weight < 0],
    }
    said = " ".join(f"{side}: {'; '.join(facts)}." for side, facts in sides.items() if facts)
    return said or "Nothing sets it apart from an average answer."


def seen(model: WordModel, row: Texts) -> Texts:
    """The texts that the model sees, as far as it reads them."""
    known = {name: (getattr(row, name) or "")[:MAX_CHARACTERS] for name in model.columns}
    return Texts(known.get("input") or None, known["output"], known.get("ground_truth") or None)


def contributions(model: WordModel, row: Texts, towards: Sequence[float]) -> dict[str, float]:
    """What each feature and term adds to the logits, or takes from them; with the intercepts they are the logits."""
    features = measured(model.corpus, model.columns, row)
    return {
        name: value * math.fsum(one * other for one, other in zip(per_logit, towards, strict=True))
        for name, value, per_logit in model.contributions(features, row.output)
    }


def facts(model: WordModel) -> dict[str, Fact]:
    """The fact that speaks of each feature."""
    return {**FACT_OF, **language_facts(model.corpus)}


def weights(by_name: Mapping[str, float], fact_of: Mapping[str, Fact], words_fact: Fact) -> dict[Fact, float]:
    """What each fact weighs: the sum of the contributions that it speaks of, single words being one fact together."""
    found: dict[Fact, list[float]] = {}
    for name, weight in by_name.items():
        found.setdefault(fact_of.get(name, words_fact), []).append(weight)
    return {fact: math.fsum(parts) for fact, parts in found.items()}


def named_words(by_name: Mapping[str, float]) -> Fact:
    """The fact that speaks of the answer's single words, with those that weighed most."""
    sides = zip(("for it", "against it"), weightiest_words(by_name), strict=True)
    named_sides = [f"{side} {', '.join(map(shortened, found))}" for side, found in sides if found]
    said = f"its single words (most {'; '.join(named_sides)})" if named_sides else "its single words"
    return lambda row: said


def weightiest_words(by_name: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """The words and pairs of words that add most, and those that take most, the weightiest first."""
    terms = {name.removeprefix(TERM): weight for name, weight in by_name.items() if name.startswith(TERM)}
    ordered = sorted(terms, key=lambda term: (-terms[term], term))
    for_it = [term for term in ordered[:MOST_WORDS] if terms[term] > 0]
    return for_it, [term for term in reversed(ordered[-MOST_WORDS:]) if terms[term] < 0]


def shortened(word: str) -> str:
    """A word or pair of bearable length, in quotes."""
    return f'"{word}"' if len(word) <= LONGEST_WORD else f'"{word[:LONGEST_WORD]}..."'


def content_words(text: str | None) -> list[str]:
    """The words of a text that carry meaning, each once, in order."""
    return list(dict.fromkeys(word for word in words(text or "") if word not in lexicon.FUNCTION_WORDS))


def stems_of(text: str | None) -> set[str]:
    """Their stems."""
    return set(map(stem, content_words(text)))


def named(found: Iterable[str]) -> str:
    """Some words, the first of them, for a person; in quotes, for one may be `nothing` or `no`."""
    listed = list(found)
    more = ", ..." if len(listed) > MOST_WORDS else ""
    return ", ".join(f'"{word[:LONGEST_WORD]}"' for word in listed[:MOST_WORDS]) + more


def with_words(fact: str, found: Iterable[str]) -> str:
    """A fact, with the words that show it where there are any."""
    listed = list(found)
    return f"{fact} ({named(listed)})" if listed else f"no {fact}"


def shared_with_reference(row: Texts) -> str:
    """How many of the reference's words are there, and which are not."""
    given, wanted = stems_of(row.output), content_words(row.ground_truth)
    missing = [word for word in wanted if stem(word) not in given]
    return f"shares {len(wanted) - len(missing)} of {len(wanted)} content words with the reference" + (
        f" (missing: {named(missing)})" if missing else ""
    )


def foreign(row: Texts) -> str:
    """What it speaks of that is in neither reference nor question."""
    known = stems_of(row.ground_truth) | stems_of(row.input)
    return with_words(
        "words that neither reference nor question has", (w for w in content_words(row.output) if stem(w) not in known)
    )


def shared_with_question(row: Texts) -> str:
    """How many of the question's words are there."""
    given, asked = stems_of(row.output), content_words(row.input)
    return f"takes up {sum(stem(word) in given for word in asked)} of {len(asked)} content words of the question"


def length(row: Texts) -> str:
    """How long it is."""
    beside = f", the reference {len(words(row.ground_truth))}" if row.ground_truth else ""
    return f"it has {len(words(row.output))} words{beside}"


def sentence_form(row: Texts) -> str:
    """How long its sentences are."""
    parts = lexicon.sentences(row.output)
    mean = len(words(row.output)) / max(len(parts), 1)
    return f"its sentences have {mean:.0f} words on average"


def word_form(row: Texts) -> str:
    """How long its words are."""
    found = words(row.output)
    return f"{sum(len(word) >= 9 for word in found)} of its {len(found)} words have nine letters or more"


def formal(row: Texts) -> str:
    """Its formal words."""
    return with_words("formal words", (word for word in words(row.output) if word in lexicon.FORMAL))


def familiar(row: Texts) -> str:
    """Its contractions and words to the reader."""
    spoken = (word for word in words(row.output) if word in lexicon.SECOND_PERSON or "'" in word)
    return with_words("contractions or words to the reader", dict.fromkeys(spoken))


def hype(row: Texts) -> str:
    """Its hype."""
    return with_words("hype", listed_words(row, lexicon.HYPE))


def absolutes(row: Texts) -> str:
    """Its absolutes."""
    return with_words("absolutes", listed_words(row, lexicon.ABSOLUTES))


def hedges(row: Texts) -> str:
    """Its hedges."""
    return with_words("hedges", listed_words(row, lexicon.HEDGES))


def negations(row: Texts) -> str:
    """Its negations."""
    return with_words("negations", listed_words(row, lexicon.NEGATIONS))


def listed_words(row: Texts, listed: Collection[str]) -> list[str]:
    """Which of an answer's words a list has, each once, in order."""
    return list(dict.fromkeys(word for word in words(row.output) if word in listed))


def repetition(row: Texts) -> str:
    """How many of its words come again."""
    found = words(row.output)
    return f"{len(found) - len(set(found))} of its {len(found)} words are repeats"


def ending(row: Texts) -> str:
    """How its last sentence ends."""
    if row.output.rstrip().endswith("?"):
        return "it ends with a question"
    return "its last sentence ends" if row.output.rstrip().endswith(FINISHED) else "its last sentence has no end"


def language_facts(corpus: Corpus) -> dict[str, Fact]:
    """The facts by feature on whether an answer reads like the texts that the model learned from.

    What weighs is how usual words and their order are; said is what a person can look up.
    """

    def unknown(row: Texts) -> str:
        """Which of its words the texts do not have."""
        found = dict.fromkeys(unknown_words(corpus, words(row.output)))
        return with_words("words that the judge does not know", found)

    def order(row: Texts) -> str:
        """How many of its words follow each other as words do."""
        steps = transitions_of(corpus, row.output)
        return f"{sum(step >= ODD_TRANSITION for step in steps)} of its {len(steps)} word pairs are in a usual order"

    return {name: fact for fact, names in ((unknown, UNKNOWN), (order, ORDER)) for name in names.split()}


def contradiction(row: Texts) -> str:
    """What it says otherwise than the reference."""
    return "opposites and numbers beside the reference's"


UNKNOWN = "unknown_words unknown_stems unknown_short_words unknown_ngrams"
ORDER = "function_words transitions leaps odd_transitions dangling lower_starts inner_capitals"
FEATURES: dict[Fact, str] = {
    shared_with_reference: "recall new_recall new_found precision new_precision similarity root_similarity "
    "best_sentence worst_sentence last_sentence shared_pairs ngram_similarity",
    foreign: "drift margin elsewhere",
    shared_with_question: "asked_recall asked_precision asked_similarity",
    length: "log_words few_words sentences length_ratio",
    sentence_form: "sentence_length longest_sentence shortest_sentence commas dashes semicolons",
    word_form: "word_length long_words very_long_words short_words",
    formal: "formal nominalisations passives flat_opening",
    familiar: "contractions any_contraction second_person plain_opening",
    hype: "hype",
    absolutes: "absolutes",
    hedges: "hedges",
    negations: "negations more_negation",
    repetition: "repeated_words repeated_stems repeated_pairs top_stem stutter",
    ending: "unfinished question",
    contradiction: "swapped agreed numbers_shared numbers_unknown numbers_missing",
}
FACT_OF = {name: fact for fact, names in FEATURES.items() for name in names.split()}


def towards_label(classes: Sequence[str], label: str) -> Iterator[float]:
    """How much each logit of classes without order counts for one of them, beside the others."""
    for name in classes:
        yield 1.0 if name == label else -1 / (len(classes) - 1)
