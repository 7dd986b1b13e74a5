from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tuneproof.records.rows import Question
from tuneproof.results.analysis.exploring.kinds import (
    FEWEST_QUESTIONS,
    MOST_WORDS,
    NO_TOPIC,
    TOPIC,
    kinds,
    tags_of,
    topics,
)

TEXTS = [f"How does gradient number {'x' * place} work?" for place in range(6)] + [
    f"Which tokens does {'y' * place} make?" for place in range(5)
]


def test_a_topic_is_a_word_that_several_questions_hold() -> None:
    assert topics([*TEXTS, "Why so?", "Who is it?"]) == ["gradient"] * 6 + ["token"] * 5 + ["(other)"] * 2


def test_words_of_every_question_and_words_that_only_ask_tell_nothing_apart() -> None:
    assert set(topics([f"Please explain the model of kind {place}" for place in range(20)])) == {"(other)"}


def test_a_plural_and_its_singular_are_one_word() -> None:
    texts = [f"What is a vector {place}?" for place in range(5)] + [f"Are vectors round {place}?" for place in range(4)]
    rest = [f"Something else altogether: {chr(97 + place) * 7}" for place in range(12)]
    assert topics(texts + rest)[:9] == ["vector"] * 9


def test_thirds_by_length_hold_about_as_many_questions() -> None:
    sizes = Counter(kind["length"] for kind in kinds(["a" * length for length in range(1, 31)]))
    assert sorted(sizes.values()) == [10, 10, 10]


def test_questions_of_one_length_and_no_topic_have_no_kind() -> None:
    assert kinds(["abcdefgh", "ijklmnop", "qrstuvwx"]) == [{}, {}, {}]


def test_own_tags_are_never_replaced() -> None:
    plain, tagged = (
        Question(id=name, instruction=name, reference=None, tags=tags) for name, tags in (("a", {}), ("b", {"x": "y"}))
    )
    assert tags_of([plain, tagged]) == [{}, {"x": "y"}]


@given(st.lists(st.text(max_size=60), max_size=60))
def test_any_texts_have_the_same_kinds_each_time_and_few_of_them(texts: list[str]) -> None:
    found = kinds(texts)
    assert found == kinds(list(texts))
    assert len(found) == len(texts)
    by_word = Counter(kind.get(TOPIC, NO_TOPIC) for kind in found)
    assert len(by_word) <= MOST_WORDS + 1
    assert all(count >= FEWEST_QUESTIONS for word, count in by_word.items() if word != NO_TOPIC)
