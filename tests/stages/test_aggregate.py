"""The aggregate stage on real files: what it writes, and that it writes the same bytes again."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.aggregated_run import (
    SHAPE,
    aggregate,
    change_judgements,
    change_params,
    details,
    every_file,
    metrics,
)
from tests.made_up.run import Shape, write_run
from tests.running import SCRIPTS, run_here
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import COMPARISONS, JUDGEMENTS, QUESTIONS
from tuneproof.records.rows import Judgement, Question
from tuneproof.results.report.showing import minus
from tuneproof.results.report.terminal import plain_text
from tuneproof.results.summary import summary_markdown


def test_metrics_are_exactly_the_contract(aggregated: Path) -> None:
    baseline, sft = metrics(aggregated, "baseline"), metrics(aggregated, "sft")
    assert list(baseline) == ["accuracy", "style", "coverage", "n", "run"]
    assert list(sft) == [*baseline, "gain", "verdict", "win_rate"]
    assert list(sft["gain"]) == ["accuracy", "style"]
    assert (sft["n"], sft["run"]) == (60, "real")
    numbers = [sft["accuracy"], sft["style"], sft["coverage"], sft["win_rate"], *sft["gain"].values()]
    assert all(round(number, 2) == number for number in numbers)
    assert str(-0.0) not in json.dumps(sft)


def test_a_mean_is_the_mean_of_the_scored_questions(aggregated: Path) -> None:
    rows = JUDGEMENTS.read("sft", aggregated)
    scores = [row.scores["accuracy"] for row in rows if row.scores]
    found = details(aggregated, "sft")
    accuracy = found.criteria["accuracy"]
    assert accuracy.mean == pytest.approx(sum(scores) / len(scores), abs=1e-5)
    assert accuracy.low is not None and accuracy.high is not None
    assert 1 <= accuracy.low < sum(scores) / len(scores) < accuracy.high <= 3
    assert accuracy.scored == len(scores) == found.scored
    assert found.coverage == pytest.approx(len(scores) / 60, abs=1e-5)
    assert accuracy.distribution == {str(step): scores.count(step) for step in (1, 2, 3)}
    assert sum(found.statuses.values()) == found.answers == 60


def test_a_gain_is_over_the_questions_scored_in_both(aggregated: Path) -> None:
    sft, baseline = (
        {row.id: row.scores["style"] for row in read_rows(path, Judgement, made_by="") if row.scores}
        for path in (aggregated / JUDGEMENTS.path(model) for model in ("sft", "baseline"))
    )
    both = [question for question in sft if question in baseline]
    style = details(aggregated, "sft").criteria["style"]
    assert style.paired == len(both)
    assert style.gain == pytest.approx(sum(sft[one] - baseline[one] for one in both) / len(both), abs=1e-5)
    assert style.level is not None and 0.05 / 4 <= style.level < 0.05


def test_verdict_and_shown_interval_never_contradict(aggregated: Path) -> None:
    for model in ("sft", "dpo"):
        for criterion in details(aggregated, model).criteria.values():
            assert criterion.gain_low is not None and criterion.gain_high is not None
            read = "better" if criterion.gain_low > 0 else "worse" if criterion.gain_high < 0 else "undecided"
            assert criterion.verdict == read


def test_the_baseline_is_compared_with_nothing(aggregated: Path) -> None:
    baseline = details(aggregated, "baseline")
    assert (baseline.verdict, baseline.win_rate, baseline.is_baseline) == (None, None, True)
    assert all(one.gain is None and one.verdict is None for one in baseline.criteria.values())


def test_samples_of_one_question_count_once(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=40, samples=3, unusable=0))
    aggregate(tmp_path)
    found = details(tmp_path, "sft")
    assert (found.samples, found.answers, found.questions) == (3, 120, 40)
    assert found.criteria["accuracy"].scored == 40
    assert sum(found.criteria["accuracy"].distribution.values()) == 120


def test_the_same_input_gives_the_same_bytes(copied: Path) -> None:
    before = every_file(copied)
    aggregate(copied)
    assert every_file(copied) == before
    assert not any(re.search(rb"20\d\d-\d\d-\d\dT", text) for text in before.values())


def test_a_removed_model_leaves_nothing_behind(copied: Path) -> None:
    change_params(copied, lambda params: params["models"].pop("dpo"))
    said = aggregate(copied)
    assert "removed metrics/dpo.json" in said
    mentioned = re.compile(rb"\bdpo\b")
    assert not [name for name, text in every_file(copied).items() if mentioned.search(name.encode() + text)]


def test_models_without_an_entry_in_params_are_not_read(copied: Path) -> None:
    (copied / "data/judgements/stray.jsonl").write_text("not even JSON\n")
    aggregate(copied)
    assert not (copied / "metrics/stray.json").exists()


def test_without_comparisons_there_is_no_win_rate(copied: Path) -> None:
    shutil.rmtree(copied / COMPARISONS.directory)
    aggregate(copied)
    assert details(copied, "sft").win_rate is None
    assert "win_rate" not in metrics(copied, "sft")


def test_comparing_switched_off_ignores_old_comparisons(copied: Path) -> None:
    change_params(copied, lambda params: params["compare"].update(enabled=False))
    aggregate(copied)
    assert details(copied, "sft").win_rate is None


def test_a_win_rate_counts_both_orders_of_a_pair_once(aggregated: Path) -> None:
    rate = details(aggregated, "sft").win_rate
    assert rate is not None
    assert rate.questions + rate.incomplete_pairs == 60
    assert sum(rate.statuses.values()) == 120
    assert rate.position_bias is not None and rate.position_bias > 0
    assert rate.length_controlled is not None


def test_a_panel_is_told_by_judge_in_details_summary_and_report_and_a_single_judge_is_not(copied: Path) -> None:
    single = json.loads((copied / "data/details/sft.json").read_text())
    assert "panel" not in single
    assert "The judges" not in summary_markdown([details(copied, "sft")])
    judge = json.loads((copied / "data/resolved/judge.json").read_text())
    judge["judges"].append({"model": "second-judge", "endpoint": "openai"})
    (copied / "data/resolved/judge.json").write_text(json.dumps(judge))

    def with_a_second_judge(place: int, row: Judgement) -> Judgement:
        other = [one.model_copy(update={"judge": "second-judge"}) for one in row.replies]
        scored = [
            one.model_copy(update={"scores": {"accuracy": 1, "style": 3}}) if one.scores else one for one in other
        ]
        return row.model_copy(update={"replies": [*row.replies, *scored]})

    for model in SHAPE.models:
        change_judgements(copied, model, with_a_second_judge)
    aggregate(copied)
    found = details(copied, "sft")
    assert found.panel is not None
    accuracy = found.panel["accuracy"]
    assert (accuracy.judges["second-judge"].mean, accuracy.judges["second-judge"].scored) == (1, found.scored)
    assert accuracy.judges["gpt-4o-mini"].mean == found.criteria["accuracy"].mean
    assert accuracy.exact_agreement == pytest.approx(
        found.criteria["accuracy"].distribution["1"] / found.scored, abs=1e-5
    )
    assert accuracy.weighted_kappa == 0
    sentence = f"The judges on sft: accuracy gpt-4o-mini {accuracy.judges['gpt-4o-mini'].mean:.2f}, second-judge 1.00"
    assert sentence in summary_markdown([found])
    assert run_here(copied, "report.py").returncode == 0
    assert sentence in (copied / "report/index.html").read_text()


def test_replies_are_priced_by_their_judge(aggregated: Path) -> None:
    usage = details(aggregated, "sft").usage
    assert usage.judge_prompt_tokens is not None and usage.judge_reply_tokens is not None
    assert usage.judge_prompt_tokens == 600 * usage.judge_replies
    expected = usage.judge_prompt_tokens * 0.15e-6 + usage.judge_reply_tokens * 0.6e-6
    assert usage.judge_cost_usd == pytest.approx(expected, rel=1e-5)


def test_without_a_price_there_is_no_cost(copied: Path) -> None:
    change_params(copied, lambda params: params["execution"]["judge"].pop("prices"))
    aggregate(copied)
    assert details(copied, "sft").usage.judge_cost_usd is None


def test_slices_follow_the_tags(aggregated: Path) -> None:
    slices = details(aggregated, "sft").slices
    assert {one.tag for one in slices} == {"source", "subject"}
    assert sum(one.questions for one in slices if one.tag == "source") == 60
    assert all(score.low <= score.mean <= score.high for one in slices for score in one.criteria.values())
    assert all(score.gain is None for one in details(aggregated, "baseline").slices for score in one.criteria.values())


def test_a_kind_of_fewer_than_25_questions_has_a_gain_and_no_interval(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=50, unusable=0))
    path = tmp_path / QUESTIONS.path
    rows = read_rows(path, Question, made_by="")
    tagged = [
        row.model_copy(update={"tags": {"size": "few" if place < 24 else "many"}}) for place, row in enumerate(rows)
    ]
    write_rows(path, tagged)
    aggregate(tmp_path)
    few, many = (
        next(one for one in details(tmp_path, "sft").slices if one.value == value).criteria["accuracy"]
        for value in ("few", "many")
    )
    assert few.gain is not None and few.gain_low is None and few.gain_high is None and few.changes is not None
    assert many.gain_low is not None and many.gain_high is not None
    assert run_here(tmp_path, "report.py").returncode == 0
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "Below 25 questions no interval is given" in page
    assert f'<span class="kind-gain">{minus(f"{few.gain:+.2f}")}</span>' in page


@pytest.mark.parametrize(("run", "words"), [("embedded", "Demonstration: "), ("dummy", "Rehearsal: ")])
def test_a_run_that_is_not_real_says_so_everywhere(tmp_path: Path, run: Any, words: str) -> None:
    write_run(tmp_path, Shape(questions=10, run=run))
    assert f"warning: {words}" in aggregate(tmp_path)
    for model in SHAPE.models:
        assert metrics(tmp_path, model)["run"] == run
    models = [details(tmp_path, model) for model in SHAPE.models]
    assert words in summary_markdown(models)
    assert words in plain_text(models)
    for table in (tmp_path / "report/plots").iterdir():
        assert all(f",{run}," in line for line in table.read_text().splitlines()[1:])


def test_few_questions_give_no_verdict(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=10))
    aggregate(tmp_path)
    assert metrics(tmp_path, "sft")["verdict"] == "too few"
    assert {one.verdict for one in details(tmp_path, "sft").criteria.values()} == {"too few"}
    assert "too few questions to decide" in summary_markdown([details(tmp_path, model) for model in SHAPE.models])


def test_a_model_without_a_single_score_has_no_mean(copied: Path) -> None:
    def refuse(place: int, row: Judgement) -> Judgement:
        return row.model_copy(update={"status": "refused", "scores": None})

    change_judgements(copied, "sft", refuse)
    aggregate(copied)
    row = metrics(copied, "sft")
    assert (row["accuracy"], row["gain"]["style"], row["coverage"], row["verdict"]) == (None, None, 0, "too few")
    found = details(copied, "sft").criteria["style"]
    assert (found.mean, found.scored, found.mean_if_missing_worst, found.mean_if_missing_best) == (None, 0, 1, 3)
    assert "sft" in plain_text([details(copied, model) for model in SHAPE.models])


def test_missing_scores_that_could_change_a_verdict_are_told(copied: Path) -> None:
    def best_or_missing(place: int, row: Judgement) -> Judgement:
        scores = {"accuracy": 3, "style": 3} if place % 3 else None
        return row.model_copy(update={"status": "ok" if scores else "refused", "scores": scores})

    change_judgements(copied, "sft", best_or_missing)
    aggregate(copied)
    found = details(copied, "sft")
    missing = found.criteria["accuracy"].missing
    assert missing is not None and missing.could_change_verdict
    assert (missing.verdict_if_worst, missing.verdict_if_best) == ("undecided", "better")
    assert missing.worst < missing.best
    text = summary_markdown([details(copied, model) for model in SHAPE.models])
    assert "The missing scores could change the verdict on accuracy" in text


def test_other_scales_and_many_criteria_work(tmp_path: Path) -> None:
    criteria = {"correct": (0.0, 1.0), "depth": tuple(float(step) for step in range(1, 11)), "tone": (-1.0, 0.0, 0.5)}
    write_run(tmp_path, Shape(questions=50, criteria=criteria))
    aggregate(tmp_path)
    found = details(tmp_path, "sft")
    assert found.criteria["correct"].gain_method == "exact unconditional (McNemar)"
    assert list(found.criteria["depth"].distribution) == [str(step) for step in range(1, 11)]
    assert list(found.run.rubric["tone"].scale) == ["-1", "0", "0.5"]


def test_one_model_alone_is_described(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=40, models=("baseline",)))
    aggregate(tmp_path)
    assert (tmp_path / "report/plots/gains.csv").read_text() == "model\n"
    assert plain_text([details(tmp_path, "baseline")]).count("\n") > 3


def test_metrics_fit_into_120_columns(copied: Path) -> None:
    (copied / "dvc.yaml").write_text("metrics:\n  - metrics\n")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--quiet", "--no-scm"], cwd=copied, check=True)
    done = subprocess.run([*dvc, "metrics", "show"], cwd=copied, check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and max(map(len, lines)) <= 120, done.stdout
    assert lines[0].split() == [
        "Path", "accuracy", "coverage", "gain.accuracy", "gain.style", "n", "run", "style", "verdict", "win_rate",
    ]  # fmt: skip


def test_plot_data_stays_small(tmp_path: Path) -> None:
    write_run(tmp_path, Shape(questions=1_000, compare=False))
    aggregate(tmp_path)
    sizes = [path.stat().st_size for path in (tmp_path / "report/plots").iterdir()]
    assert len(sizes) == 5 and sum(sizes) < 10_000


def test_help_says_what_is_read_and_written() -> None:
    done = run_here(SCRIPTS.parent, "aggregate.py", "--help")
    assert done.returncode == 0
    assert "Reads " in done.stdout and "metrics/<model>.json" in done.stdout


def test_every_question_of_the_file_is_used(aggregated: Path) -> None:
    lines = (aggregated / QUESTIONS.path).read_text().count("\n")
    assert details(aggregated, "sft").run.questions == lines == 60
