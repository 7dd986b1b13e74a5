import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuneproof.scoring.checks.cases import found
from tuneproof.scoring.checks.texts import load_languages


@given(st.text())
def test_any_text_ends_in_a_value_and_a_reason(text: str) -> None:
    for settings in ({"kind": "words", "at_most": 3}, {"kind": "sentences", "at_least": 1}, {"kind": "repetition"}):
        value, reason = found(text, **settings)
        assert value in (0, 1)
        assert reason


@pytest.mark.parametrize(
    ("kind", "text", "count"),
    [
        ("words", "well-known, isn't it?", 3), ("words", "", 0), ("words", "- * #", 0), ("words", "3.5 GB", 2),
        ("sentences", "He said: “Go!” She went. And then", 3), ("sentences", "", 0), ("sentences", "3.5 of 4. Yes?", 2),
        ("characters", "äöü", 3),
    ],
)  # fmt: skip
def test_lengths_are_counted_as_people_count(kind: str, text: str, count: int) -> None:
    assert found(text, kind=kind, at_least=count, at_most=count).value == 1
    assert found(text, kind=kind, at_least=count + 1).value == 0


@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=6), st.integers(4, 12))
def test_words_that_stand_again_and_again_are_a_loop(words: list[str], times: int) -> None:
    looped = " ".join(words * times)
    enough = len(words) * times >= 12
    assert found(f"Once more {looped} and so on", kind="repetition").value == (
        0 if enough else pytest.approx(0.5, abs=1)
    )
    assert found(f"Once more {' '.join('abc'[i % 3] + str(i) for i in range(40))}", kind="repetition").value == 1


def test_three_times_is_emphasis_and_a_table_of_numbers_is_no_loop() -> None:
    assert found("no no no, never again, no no no", kind="repetition").value == 1
    assert found("the same five words here " * 3, kind="repetition").value == 1
    assert found("the same five words here " * 3, kind="repetition", times=3).value == 0


def test_a_refusal_is_told_by_how_an_answer_begins() -> None:
    assert found("I\u2019m sorry, but I can\u2019t help with that.", kind="refusal").value == 0
    assert found("As an AI language\nmodel I have no opinion.", kind="refusal").value == 0
    assert found("Mix it. " * 40 + "I cannot help if it burns.", kind="refusal").value == 1
    assert found("Nope.", kind="refusal", phrases=["nope"]).value == 0


def test_a_language_is_told_the_same_each_time() -> None:
    load_languages()
    unclear = "Hotel Restaurant Taxi Computer Internet"
    assert len({found(unclear, kind="language", language="en") for _ in range(10)}) == 1
    assert found("Le chat dort toute la journée dans le jardin.", kind="language", language="fr").value == 1
    assert found("?!", kind="language", language="fr").value is None


def test_an_answer_that_was_cut_did_not_finish() -> None:
    assert found("It is", finish_reason="length", kind="finish").value == 0
    assert found("It is.", kind="finish").value == 1
