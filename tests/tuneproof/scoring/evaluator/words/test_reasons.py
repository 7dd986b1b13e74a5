"""The sentence that says what weighed most in a score of a model of words."""

import json
import math
from typing import Any

import pytest

from tests.house.test_embedded_data import EMBEDDED, GRADED, QUESTIONS
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tuneproof.scoring.embedded.judge import EmbeddedJudge, load_judge
from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.scoring.evaluator.decisions import decide
from tuneproof.scoring.evaluator.words import reasons
from tuneproof.scoring.evaluator.words.corpus import fit_corpus
from tuneproof.scoring.evaluator.words.lexicon import terms
from tuneproof.scoring.evaluator.words.model import WordModel

QUESTION = {row["id"]: row for row in QUESTIONS}


@pytest.fixture(scope="module")
def judge() -> EmbeddedJudge:
    return load_judge(EMBEDDED / "judge")


def texts(row: dict[str, Any]) -> Texts:
    question = QUESTION[row["id"]]
    return Texts(question["instruction"], row["answer"], question["reference"])


def words_model(judge: EmbeddedJudge, criterion: str) -> WordModel:
    model = judge.evaluators[criterion].model
    assert isinstance(model, WordModel)
    return model


@pytest.mark.parametrize("criterion", ["accuracy", "style"])
def test_what_is_weighed_is_all_that_the_logits_are_made_of(judge: EmbeddedJudge, criterion: str) -> None:
    model = words_model(judge, criterion)
    for row in GRADED[::20]:
        [logits] = model.logits([texts(row)])
        by_name = reasons.contributions(model, texts(row), [1.0] * len(logits))
        weighed = reasons.weights(by_name, reasons.facts(model), reasons.named_words(by_name))
        assert math.fsum(weighed.values()) == pytest.approx(math.fsum(logits) - math.fsum(model.intercepts))


@pytest.mark.parametrize("criterion", ["accuracy", "style"])
def test_every_feature_of_the_judge_has_a_fact_that_speaks_of_it(judge: EmbeddedJudge, criterion: str) -> None:
    model = words_model(judge, criterion)
    assert set(model.features) <= set(reasons.facts(model))


def test_the_weightiest_facts_are_named_on_their_side(judge: EmbeddedJudge) -> None:
    for row in GRADED[::10]:
        one, model = texts(row), words_model(judge, "accuracy")
        by_name = reasons.contributions(model, one, [1.0, 1.0])
        weighed = reasons.weights(by_name, reasons.facts(model), reasons.named_words(by_name))
        first = max(weighed, key=lambda fact: abs(weighed[fact]))
        said = reasons.reason(model, one, [1.0, 1.0])
        for_it, _, against = said.partition("Against it: ")
        assert first(one) in (for_it if weighed[first] > 0 else against)


@pytest.mark.parametrize("criterion", ["accuracy", "style"])
def test_the_words_that_are_named_and_the_rest_add_up_to_the_score(judge: EmbeddedJudge, criterion: str) -> None:
    evaluator, model = judge.evaluators[criterion], words_model(judge, criterion)
    said_so = 0
    for row in GRADED[::10]:
        one = texts(row)
        logits = []
        for place, intercept in enumerate(model.intercepts):
            only = [float(place == other) for other in range(len(model.intercepts))]
            by_name = reasons.contributions(model, one, only)
            words = {f"term {word}" for side in reasons.weightiest_words(by_name) for word in side}
            named, rest = ([w for name, w in by_name.items() if (name in words) is there] for there in (True, False))
            assert len(named) == len(words) <= 6
            logits.append(intercept + math.fsum(named) + math.fsum(rest))
        known = evaluator.score(input=one.input, output=one.output, ground_truth=one.ground_truth)
        assert decide(evaluator.manifest, logits).score == pytest.approx(known.score, abs=1e-4)
        said_so += "its single words (most " in reasons.reason(model, one, [1.0, 1.0])
    assert said_so


def test_the_weightiest_words_are_the_answers_own_by_coefficient_times_value(judge: EmbeddedJudge) -> None:
    model = words_model(judge, "style")
    for row in GRADED[::10]:
        one = texts(row)
        own = {
            name.removeprefix("term "): value * sum(per_logit)
            for name, value, per_logit in model.contributions({}, one.output)
        }
        for_it, against = reasons.weightiest_words(reasons.contributions(model, one, [1.0, 1.0]))
        assert set(for_it + against) <= set(terms(one.output))
        assert [own[word] for word in for_it] == pytest.approx(sorted(w for w in own.values() if w > 0)[::-1][:3])
        assert [own[word] for word in against] == pytest.approx(sorted(w for w in own.values() if w < 0)[:3])


def test_words_of_an_answer_are_named_short_and_without_control_characters() -> None:
    model = WordModel(
        corpus=fit_corpus(["one", "two"], []), columns=("output",), intercepts=(0.0,), features={},
        terms={"x" * 99: [1.0, 2.0], "ill will": [1.0, -3.0], "will": [1.0, 0.0]},
    )  # fmt: skip
    hostile = f"<b>{'X' * 99}</b>\n\u202eILL\x07will"
    said = reasons.reason(model, Texts(None, hostile, None), [1.0])
    assert said == f'Against it: its single words (most for it "{"x" * 24}..."; against it "ill will").'
    assert said.isprintable()


def test_an_answer_about_something_else_is_told_what_it_misses(judge: EmbeddedJudge) -> None:
    row = next(
        row for row in GRADED if row["reason"] == "Friendly training tips that never say anything about perplexity."
    )
    said = reasons.reason(words_model(judge, "accuracy"), texts(row), [1.0, 1.0])
    assert "Against it: " in said
    missing = 'shares 0 of 21 content words with the reference (missing: "perplexity", "exponential", "average", ...)'
    assert missing in said.partition("Against it: ")[2]


def test_hostile_and_endless_texts_give_one_short_line(judge: EmbeddedJudge) -> None:
    for text in [*HOSTILE_TEXTS, "", "x" * 100_000, "word " * 5_000]:
        for criterion in judge.evaluators:
            said = reasons.reason(words_model(judge, criterion), Texts(text, text, text), [1.0, 1.0])
            assert 0 < len(said) < 500
            assert not {"<", ">", "\n"} & set(said)
            json.dumps(said).encode()


def test_classes_without_order_are_weighed_against_each_other() -> None:
    assert list(reasons.towards_label(["a", "b", "c"], "b")) == [-0.5, 1.0, -0.5]


def test_a_counted_word_is_quoted_for_it_may_read_as_none() -> None:
    assert reasons.negations(Texts(None, "A user stares at nothing.", None)) == 'negations ("nothing")'
    assert reasons.negations(Texts(None, "A user waits.", None)) == "no negations"
