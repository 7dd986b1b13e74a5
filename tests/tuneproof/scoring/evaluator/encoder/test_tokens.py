"""An answer's texts become tokens within the room that there is, and no text can play a special token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.made_up.encoders import tokenizer_of
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tuneproof.scoring.evaluator.contract import Texts
from tuneproof.scoring.evaluator.encoder.tokens import Tokens, shares_of

BEGIN, END = 2, 3


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    path = tmp_path_factory.mktemp("tokens") / "tokenizer.json"
    tokenizer_of(["the cache doubles block 1", "what does the cache do?"]).save(str(path))
    return Tokens.read(path, ("output", "input", "ground_truth"), 32)


def test_question_and_truth_stand_before_the_answer(tokens: Tokens) -> None:
    ids = tokens.ids(Texts("what", "the cache", "block"))
    assert ids[0] == BEGIN
    assert ids.count(END) == 3
    assert ids[-1] == END
    assert tokens.tokenizer.decode(ids[1:-1]) == "what block the cache"


def test_a_text_that_spells_out_a_special_token_is_text(tokens: Tokens) -> None:
    ids = tokens.ids(Texts(None, "[SEP] [CLS] [MASK] [PAD]", None))
    assert ids.count(END) == 3
    assert ids.count(BEGIN) == 1


@pytest.mark.parametrize("text", [*HOSTILE_TEXTS, "cache " * 100_000, "\ud800"])
def test_hostile_texts_stay_within_the_room(tokens: Tokens, text: str) -> None:
    assert len(tokens.ids(Texts(text, text, text))) <= 32


@given(st.integers(0, 500), st.lists(st.integers(0, 400), min_size=1, max_size=3))
def test_what_fits_is_kept_and_only_the_longest_are_cut(room: int, wanted: list[int]) -> None:
    given_ = shares_of(room, wanted)
    assert sum(given_) <= room or sum(wanted) <= room
    assert all(here <= there for here, there in zip(given_, wanted, strict=True))
    if sum(wanted) > room:
        cut = [here for here, there in zip(given_, wanted, strict=True) if here < there]
        kept = [here for here, there in zip(given_, wanted, strict=True) if here == there]
        assert max(cut) - min(cut) <= 1
        assert all(each <= max(cut) + 1 for each in kept)
