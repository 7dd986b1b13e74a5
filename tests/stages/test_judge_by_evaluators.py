"""Frozen evaluators in the judge's place: a run that is scored without a key."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project
from tests.made_up.evaluators import SCALE, YES_NO, trained
from tests.servers.openai.server import OpenAIServer
from tuneproof.scoring.evaluator import load
from tuneproof.scoring.evaluator.contract import Texts

REFERENCE = "To read memory once."
CRITERIA = ("accuracy", "style")
ANSWERS = {
    "sft": ["It keeps the GPU busy, and so costs less.", "Because memory is read once for many rows.", ""],
    "baseline": ["No idea.", "Because memory is read once for many rows.", "It is a matter of taste."],
}


def write(project: Project, name: str, rows: list[dict[str, Any]]) -> None:
    (project.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows_of(project: Project, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project.root / "data" / name).read_text().splitlines()]


@pytest.fixture
def own(project: Project) -> Project:
    """A project of its own models whose judge is a copy of the embedded evaluators."""
    shutil.copytree(project.root / "data" / "embedded" / "judge", project.root / "evaluators")
    questions = [{"instruction": f"Why batch {place}?", "output": REFERENCE} for place in range(3)]
    write(project, "questions.jsonl", questions)
    for model, answers in ANSWERS.items():
        pairs = zip(questions, answers, strict=True)
        write(project, f"{model}.jsonl", [{"instruction": q["instruction"], "answer": text} for q, text in pairs])
    project.set(
        questions__dataset="questions.jsonl",
        models={name: {"engine": "recorded", "path": f"{name}.jsonl"} for name in ANSWERS},
        judge__backend="evaluator",
        judge__evaluators={name: f"evaluators/{name}" for name in CRITERIA},
        judge__min_coverage=0.5,
    )
    return project


def judged(project: Project) -> None:
    project.run_ok("validate.py")
    for model in ANSWERS:
        project.run_ok("generate.py", model)
    for model in ANSWERS:
        project.run_ok("judge.py", model)
        project.run_ok("compare.py", model)


def test_a_run_is_scored_without_a_key_and_its_probabilities_are_kept(own: Project) -> None:
    judged(own)
    rows = rows_of(own, "judgements/sft.jsonl")
    assert [row["status"] for row in rows] == ["ok", "ok", "no_answer"]
    for place, row in enumerate(rows[:2]):
        texts = {
            "input": f"Why batch {place}?",
            "output": ANSWERS["sft"][place],
            "ground_truth": REFERENCE,
        }
        (reply,) = row["replies"]
        assert (reply["judge"], reply["prompt_tokens"]) == ("evaluator", None)
        for name in CRITERIA:
            scored = load(own.root / "evaluators" / name).score(**texts)
            assert row["scores"][name] == scored.score
            assert reply["probabilities"][name] == scored.probabilities
            assert row["analyses"][name] == load(own.root / "evaluators" / name).reason(Texts(**texts), scored)
    resolved = json.loads((own.root / "data" / "resolved" / "judge.json").read_text())
    assert resolved["judges"] == [{"model": "evaluator", "endpoint": "evaluators/accuracy, evaluators/style"}]
    assert {name: one["content"] for name, one in resolved["evaluators"].items()} == {
        name: load(own.root / "evaluators" / name).content for name in CRITERIA
    }
    for script in ("aggregate.py", "report.py"):
        own.run_ok(script)
    assert json.loads((own.root / "metrics" / "sft.json").read_text())["coverage"] == 0.67


def test_pairs_are_compared_by_both_answers_scores_whatever_their_order(own: Project) -> None:
    judged(own)
    rows = rows_of(own, "comparisons/sft.jsonl")
    assert len(rows) == 6
    better, same, none = rows[:2], rows[2:4], rows[4:]
    assert better[0]["preference"] == better[1]["preference"] > 0.5
    assert [row["preference"] for row in same] == [0.5, 0.5]
    assert [row["status"] for row in none] == ["no_answer", "no_answer"]
    assert rows_of(own, "comparisons/baseline.jsonl") == []


def test_other_weights_give_other_keys_and_must_be_validated(own: Project) -> None:
    judged(own)
    before = {reply["key"] for row in rows_of(own, "judgements/sft.jsonl") for reply in row["replies"]}
    trained(own.root / "evaluators" / "style", SCALE, criterion="style")
    assert own.error_line("judge.py", "sft") == (
        "error: judge.evaluators.style: it has changed since it was validated; run `dvc repro`"
    )
    judged(own)
    after = {reply["key"] for row in rows_of(own, "judgements/sft.jsonl") for reply in row["replies"]}
    assert not before & after


def in_own_output(own: Project) -> None:
    shutil.copytree(own.root / "evaluators" / "style", own.root / "data" / "evaluator" / "style")
    own.set(judge__evaluators__style="data/evaluator/style")


def by_a_link_to_own_output(own: Project) -> None:
    in_own_output(own)
    (own.root / "link").symlink_to(own.root / "data" / "evaluator" / "style")
    own.set(judge__evaluators__style="link")


def broken(own: Project) -> None:
    (own.root / "evaluators" / "style" / "evaluator.json").write_text("{}")


def of_yes_and_no(own: Project) -> None:
    trained(own.root / "evaluators" / "style", YES_NO, criterion="style")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (in_own_output, "judge.evaluators.style: data/evaluator is what this run trains, and no run scores with that;"),
        (by_a_link_to_own_output, "judge.evaluators.style: data/evaluator is what this run trains"),
        (broken, "judge.evaluators.style (evaluators/style): its evaluator.json describes no evaluator"),
        (of_yes_and_no, "it knows 0, 1, and judge.criteria.style has 1, 2, 3; give the criterion that scale"),
        (
            lambda own: own.set(judge__evaluators__style="evaluators/accuracy"),
            "it scores accuracy, not style",
        ),
        (
            lambda own: own.set(judge__evaluators__style="nowhere"),
            "nowhere/evaluator.json cannot be read",
        ),
        (lambda own: own.set(judge__evaluators={"accuracy": "evaluators/accuracy"}), "there is none for style; name a"),
        (lambda own: own.set(judge__evaluators__tone="evaluators/style"), "evaluators: there is no criterion 'tone'"),
        (lambda own: own.set(judge__samples=2), "panel, samples: an evaluator always says the same; leave them out"),
    ],
)
def test_an_evaluator_that_cannot_judge_is_told_by_validate(
    own: Project, spoil: Callable[[Project], None], said: str
) -> None:
    spoil(own)
    assert said in own.error_line("validate.py")
    assert not (own.root / "data" / "resolved").exists()


def test_a_criterion_of_yes_and_no_has_its_steps_in_the_judgements(own: Project) -> None:
    trained(own.root / "evaluators" / "useful", YES_NO, criterion="useful")
    yes_or_no = {"question": "Is it useful?", "scale": {0: "No.", 1: "Yes."}}
    own.set(judge__criteria={"useful": yes_or_no}, judge__evaluators={"useful": "evaluators/useful"})
    judged(own)
    reply = rows_of(own, "judgements/sft.jsonl")[0]["replies"][0]
    assert list(reply["probabilities"]["useful"]) == ["0", "1"]
    assert 0 <= reply["scores"]["useful"] <= 1


def test_no_server_is_asked(own: Project) -> None:
    with OpenAIServer() as server:
        own.set(judge__base_url=server.base_url)
        judged(own)
        assert server.counts.requests.total() == 0


def test_the_copy_is_all_that_counts(own: Project) -> None:
    judged(own)
    before = (own.root / "data" / "judgements" / "sft.jsonl").read_bytes()
    Path(own.root / "data" / "evaluator" / "style").mkdir(parents=True)
    judged(own)
    assert (own.root / "data" / "judgements" / "sft.jsonl").read_bytes() == before
