"""What is measured of an answer means what its name says."""

import math

import pytest

from tuneproof.scoring.evaluator.words.corpus import Corpus, cosine, unit_vector
from tuneproof.scoring.evaluator.words.features import question_features, reference_features, text_features
from tuneproof.scoring.evaluator.words.lexicon import (
    BOUNDARY,
    character_ngrams,
    content_stems,
    sentences,
    stem,
    terms,
    word_classes,
)

QUESTION = "What does gradient clipping do?"
REFERENCE = "It rescales the gradient when its norm exceeds a threshold such as 1.0. It lowers the risk of spikes."
CORPUS = Corpus(
    stem_weights={"gradi": 1.5, "clipp": 2.0, "norm": 2.0},
    ngram_weights={},
    known_words=frozenset({"gradient", "norm", "spike"}),
    rare_weight=3.0,
    transitions={},
    references=[],
)


def measured(answer: str) -> dict[str, float]:
    return text_features(CORPUS, answer) | reference_features(CORPUS, QUESTION, REFERENCE, answer)


def test_a_stem_joins_the_forms_of_a_word() -> None:
    assert stem("quantize") == stem("quantization") == stem("quantized")
    assert stem("drop") == stem("drops")
    assert stem("loss") == "loss"


def test_content_stems_leave_function_words_out() -> None:
    assert content_stems("It is the norm of the gradients") == ["norm", "gradi"]


def test_sentences_end_at_full_stops_but_not_inside_numbers() -> None:
    assert sentences("Use 1.0 first. Then stop! ...") == ["Use 1.0 first", "Then stop"]


def test_terms_are_words_and_pairs() -> None:
    assert terms("Go go on") == {"go": 2, "on": 1, "go go": 1, "go on": 1}


def test_character_ngrams_know_where_a_word_begins_and_ends() -> None:
    assert set(character_ngrams("ab")) == {" ab", "ab ", " ab "}


def test_word_classes_mark_sentences() -> None:
    assert word_classes("The model. It trains") == [BOUNDARY, "determiner", "other", BOUNDARY, "pronoun", "s", BOUNDARY]


def test_a_unit_vector_has_length_one_and_an_empty_one_none() -> None:
    assert math.hypot(*unit_vector({"a": 3.0, "b": 4.0}).values()) == pytest.approx(1)
    assert unit_vector({}) == {}
    assert cosine({}, {"a": 1.0}) == 0
    assert cosine({"a": 1.0}, {"a": 1.0, "b": 0.0}) == 1


def test_every_answer_has_the_same_features_and_all_are_finite() -> None:
    names = list(measured("It caps the norm."))
    for answer in ("", "?", "a", "1.0 2.0", "The the the the.", "word " * 300):
        features = measured(answer)
        assert list(features) == names
        assert all(math.isfinite(value) for value in features.values())


@pytest.mark.parametrize(
    ("name", "more", "less"),
    [
        ("recall", "It rescales the gradient past a norm threshold.", "It rescales something."),
        ("new_recall", "It rescales past a threshold.", "Gradient clipping does clip the gradient."),
        ("asked_precision", "Gradient clipping.", "It rescales past a threshold."),
        ("drift", "It stirs coffee, reads mail and sings.", "It rescales the norm."),
        ("swapped", "It raises the risk of spikes.", "It lowers the risk of spikes."),
        ("agreed", "It lowers the risk of spikes.", "It raises the risk of spikes."),
        ("numbers_shared", "A threshold such as 1.0.", "A threshold such as 7.5."),
        ("numbers_unknown", "A threshold such as 7.5.", "A threshold such as 1.0."),
        ("more_negation", "It never rescales, not once.", "It rescales."),
        ("shared_pairs", "It rescales the gradient.", "The gradient it rescales."),
        ("worst_sentence", "It rescales the gradient.", "It rescales the gradient. Coffee helps."),
        ("contractions", "It's what you'd want.", "It is what you want."),
        ("second_person", "You cap your norm.", "One caps the norm."),
        ("passives", "The norm is capped and was measured.", "It caps the norm."),
        ("nominalisations", "The utilisation of a limitation.", "We use a limit."),
        ("formal", "Whereby said norm is thereby limited.", "So the norm has a limit."),
        ("hype", "Unlock your journey and empower your vision.", "It caps the norm."),
        ("absolutes", "It always works and never fails.", "It often works."),
        ("hedges", "It usually helps, mostly.", "It helps."),
        ("repeated_stems", "Norm norm norm norm.", "Norm of one gradient."),
        ("repeated_pairs", "It caps it and it caps it.", "It caps the norm."),
        ("stutter", "It it caps caps.", "It caps the norm."),
        ("sentence_length", "It caps the norm and then it goes on.", "It caps. It goes."),
        ("unfinished", "It caps the", "It caps the norm."),
        ("dangling", "It caps the", "It caps the norm."),
        ("question", "Does it cap?", "It caps."),
        ("lower_starts", "it caps. then stops.", "It caps. Then stops."),
        ("inner_capitals", "it The norm For caps.", "It caps the norm."),
        ("unknown_words", "blorf zank gradient", "gradient norm spike"),
        ("unknown_short_words", "blor zank gradient", "gradient norm spike"),
        ("few_words", "Yes.", "It caps the norm of the gradient at a value that you choose first."),
    ],
)
def test_a_feature_is_larger_where_there_is_more_of_what_it_names(name: str, more: str, less: str) -> None:
    assert measured(more)[name] > measured(less)[name]


def test_a_question_from_training_is_not_compared_with_its_own_reference() -> None:
    own = CORPUS.stem_vector(content_stems(REFERENCE))
    other = CORPUS.stem_vector(content_stems("Coffee wakes people."))
    seen = Corpus({}, {}, frozenset(), 3.0, {}, [own])
    elsewhere = Corpus({}, {}, frozenset(), 3.0, {}, [other])
    assert reference_features(seen, QUESTION, REFERENCE, REFERENCE)["margin"] == pytest.approx(1)
    assert reference_features(elsewhere, QUESTION, REFERENCE, "Coffee wakes people.")["margin"] == pytest.approx(-1)


def test_without_a_reference_the_question_alone_is_compared() -> None:
    own = question_features(CORPUS, QUESTION, "Gradient clipping rescales the gradient.")
    other = question_features(CORPUS, QUESTION, "A tokenizer cuts words into pieces.")
    assert own["asked_recall"] > other["asked_recall"] == 0
    assert own["asked_similarity"] > other["asked_similarity"]


def test_words_of_any_script_are_words() -> None:
    assert list(terms("Größe zählt")) == ["größe", "zählt", "größe zählt"]
    assert content_stems("Градиент растёт") == ["гради", "растё"]
