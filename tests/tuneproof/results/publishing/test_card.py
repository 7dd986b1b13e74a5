"""What a dataset's card says of a model."""

from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from tests.made_up.run import Shape, finished
from tuneproof.results.details.model import read_details
from tuneproof.results.publishing.card import card_text
from tuneproof.results.words.figures import win_rate_text
from tuneproof.settings.reading import load_params


def test_the_card_has_the_win_rate_and_the_baselines_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished(tmp_path, Shape(questions=40)).parent.parent)
    params = load_params()
    cards = {}
    for name in ("sft", "baseline"):
        details = read_details(Path(f"data/details/{name}.json"))
        cards[name] = DatasetCard(card_text(f"me/{name}-results", details, params)).text
        if details.win_rate:
            assert f"| win rate | 0% to 100% | {win_rate_text(details.win_rate)} | - |" in cards[name]
    assert "| win rate |" in cards["sft"] and "| win rate |" not in cards["baseline"]
