from pathlib import Path

from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.records.handovers import DETAILS_DIRECTORY
from tuneproof.records.rows import World
from tuneproof.results.details.model import Details, read_details
from tuneproof.results.report.sections.sources import source_table, sources_disagree
from tuneproof.results.words.notes import win_rate_note

MODELS = ("sft", "baseline")


def details_of(root: Path, run: World) -> list[Details]:
    write_run(root, Shape(questions=60, models=MODELS, run=run))
    assert run_here(root, "aggregate.py").returncode == 0
    return [read_details(root / DETAILS_DIRECTORY / f"{model}.json") for model in MODELS]


def with_gain(details: Details, name: str, low: float, high: float) -> Details:
    changed = details.criteria[name].model_copy(update={"gain_low": low, "gain_high": high})
    return details.model_copy(update={"criteria": details.criteria | {name: changed}})


def test_each_source_says_what_it_says_and_a_disagreement_is_named(tmp_path: Path) -> None:
    sft, baseline = details_of(tmp_path, "embedded")
    for name in sft.criteria:
        sft = with_gain(sft, name, -0.1, 0.1)
    sft = with_gain(with_gain(sft, "accuracy", 0.2, 0.4), "no_loop", -0.4, -0.2)
    asked = sft.run.judge.model_copy(update={"backend": "openai"})
    sft = sft.model_copy(update={"run": sft.run.model_copy(update={"judge": asked})})
    header, rows = source_table([sft, baseline])
    assert header == ["model", "the judge", "pairs", "programs"]
    assert [row[0] for row in rows] == ["sft"]
    assert rows[0][1] == "better in accuracy" and rows[0][3] == "worse in no_loop"
    assert sources_disagree([sft, baseline]) == ["sft"]


def test_pairs_of_a_judge_that_prefers_by_its_scores_are_no_source_beside_them(tmp_path: Path) -> None:
    sft, baseline = details_of(tmp_path, "embedded")
    assert sft.win_rate is not None
    assert source_table([sft, baseline])[0] == ["model", "the judge", "programs"]
    assert "so a win rate is no evidence beside them" in win_rate_note([sft, baseline])
    assert "no evidence beside" not in win_rate_note(details_of(tmp_path / "asked", "real"))


def test_one_source_alone_needs_no_table(tmp_path: Path) -> None:
    sft, baseline = details_of(tmp_path, "real")
    alone = sft.model_copy(update={"win_rate": None})
    assert source_table([alone, baseline]) == ([], [])
    assert sources_disagree([alone, baseline]) == []
