import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Project
from tests.made_up.run import Shape, write_run
from tests.processes import ended_with_test
from tests.waiting import PATIENCE_SECONDS, wait_until
from tuneproof.records.handovers import CHECKS
from tuneproof.records.rows import Check
from tuneproof.settings.evidence.check_kinds import Rouge

SHORT = {"short": {"kind": "words", "at_most": 3}, "right": {"kind": "exact_match"}}


def answered(project: Project, answers: list[str], **check: Any) -> Project:
    """A validated project with recorded answers."""
    questions = [{"instruction": f"What is {number}?", "output": f"It is {number}."} for number in range(len(answers))]
    (project.root / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    recorded = [
        {"instruction": row["instruction"], "answer": text} for row, text in zip(questions, answers, strict=True)
    ]
    (project.root / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in recorded))
    models = {"sft": {"engine": "recorded", "path": "answers.jsonl"}}
    project.set(questions__dataset="questions.jsonl", baseline="sft", models=models, check=check)
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    project.run_ok("generate.py", "sft", OPENAI_API_KEY="sk-none")
    return project


def checked(project: Project) -> list[Check]:
    return CHECKS.read("sft", project.root)


def made_up(folder: Path, questions: int, **check: Any) -> Path:
    """A made-up run of one model before its checks."""
    write_run(folder, Shape(questions=questions, models=("sft",), compare=False, unusable=0.3))
    (folder / CHECKS.path("sft")).unlink()
    params = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(params | {"check": check}))
    return folder


def run_check(folder: Path, **options: Any) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "check.py", "sft"], cwd=folder, check=True, **options)


def test_a_new_check_runs_only_check_and_what_reads_its_rows() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    stages = {name: stage.get("do", stage) for name, stage in stages.items()}
    assert [name for name, stage in stages.items() if "check" in stage.get("params", [])] == ["check", "aggregate"]
    assert {name for name, stage in stages.items() if "data/checks" in stage["deps"]} <= {
        "aggregate",
        "report",
        "publish",
    }


def test_every_answer_gets_a_row_in_order_with_a_score_and_a_reason_for_every_check(project: Project) -> None:
    said = answered(project, ["It is 0.", "It is surely one of them."], **SHORT).run_ok("check.py", "sft")
    assert "check sft: short, right" in said
    assert "wrote 2 rows" in said
    first, second = checked(project)
    assert first.scores == {"short": 1, "right": 1}
    assert second.scores == {"short": 0, "right": 0}
    assert second.reasons == {"short": "6 words, more than 3", "right": "another text"}
    assert {first.status, second.status} == {"ok"}
    row = json.loads((project.root / CHECKS.directory / "sft.jsonl").read_text().splitlines()[0])
    assert list(row) == ["id", "sample", "scores", "reasons", "status"]


def test_without_checks_there_is_a_row_without_scores_for_every_answer(project: Project) -> None:
    assert "no checks are set" in answered(project, ["a", "b"]).run_ok("check.py", "sft")
    assert [(row.scores, row.reasons, row.status) for row in checked(project)] == [({}, {}, "ok")] * 2


def test_an_answer_that_failed_has_no_scores(tmp_path: Path) -> None:
    folder = made_up(tmp_path / "run", 200, **SHORT)
    run_check(folder)
    answers = [json.loads(line) for line in (folder / "data/answers/sft.jsonl").read_text().splitlines()]
    rows = CHECKS.read("sft", folder)
    failed = [row for row, answer in zip(rows, answers, strict=True) if answer["finish_reason"] == "error"]
    assert failed
    assert all(row.status == "no_answer" and row.scores == {"short": None, "right": None} for row in failed)
    assert sum(row.status == "no_answer" for row in rows) == len(failed)


def test_many_answers_in_several_processes_give_the_same_rows_as_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_up(tmp_path / "run", 1_300, **SHORT, overlap={"kind": "chrf"})
    run_check(folder)
    several = {path.name: path.read_bytes() for path in (folder / CHECKS.directory).iterdir()}
    run_check(folder, preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}))
    assert {path.name: path.read_bytes() for path in (folder / CHECKS.directory).iterdir()} == several
    assert several["sft.jsonl"].count(b"\n") == 1_300
    figure = json.loads(several["sft.json"])["overlap"]
    assert figure["signature"].startswith("nrefs:1|case:mixed")
    assert 0 < figure["corpus_score"] < 100


def test_a_killed_stage_leaves_no_process_and_no_half_written_file(tmp_path: Path) -> None:
    folder = made_up(tmp_path / "run", 4_000, slow={"kind": "python", "path": "checks/slow.py", "function": "slow"})
    (folder / "checks").mkdir()
    slow = "import os, pathlib, time\n\n\ndef slow(*_):\n    pathlib.Path(f'{os.getpid()}.pid').touch()\n"
    (folder / "checks" / "slow.py").write_text(f"{slow}    time.sleep(0.05)\n    return 1\n")
    stage = ended_with_test(subprocess.Popen([sys.executable, ROOT / "scripts" / "check.py", "sft"], cwd=folder))
    wait_until(lambda: len(list(folder.glob("*.pid"))) >= 1)
    stage.send_signal(signal.SIGKILL)
    stage.wait(PATIENCE_SECONDS)
    workers = [int(path.stem) for path in folder.glob("*.pid")]
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert not (folder / CHECKS.directory / "sft.jsonl").exists()


def test_an_error_of_a_function_in_another_process_is_one_line(tmp_path: Path) -> None:
    folder = made_up(tmp_path / "run", 1_300, own={"kind": "python", "path": "checks/own.py", "function": "own"})
    (folder / "checks").mkdir()
    (folder / "checks" / "own.py").write_text("def own(answer, question, reference):\n    return 1 / 0\n")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check.py", "sft"], cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "error: checks/own.py, own: it failed on answer " in done.stderr


def test_a_missing_package_is_told_before_anything_is_checked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(project, ["a"], overlap={"kind": "rougeL"})
    monkeypatch.setattr(Rouge, "packages", ("no_such_package",))
    line = project.error_line("check.py", "sft")
    assert line.startswith("error: check.overlap: the package no_such_package is not installed; install it with `pip")
    assert "check will stop: check.overlap needs no_such_package" in project.run_ok("validate.py")


def test_answers_of_other_questions_are_refused(project: Project) -> None:
    answered(project, ["a", "b"], **SHORT)
    questions = project.root / "data" / "questions.jsonl"
    questions.write_text(questions.read_text().splitlines()[0] + "\n")
    assert "its question is not in data/questions.jsonl" in project.error_line("check.py", "sft")


def test_checks_and_instructions_of_one_question_come_from_the_dataset(project: Project) -> None:
    answered(project, ["Yes, it is.", "No."], follows={"kind": "ifeval", "per": "instruction"})
    rows = [json.loads(line) for line in (project.root / "questions.jsonl").read_text().splitlines()]
    columns = {"instruction_id_list": ["punctuation:no_comma", "change_case:english_lowercase"], "kwargs": [{}, {}]}
    (project.root / "questions.jsonl").write_text("".join(json.dumps(row | columns) + "\n" for row in rows))
    project.set(questions__checks_column="instruction_id_list")
    project.run_ok("validate.py", OPENAI_API_KEY="sk-none")
    project.run_ok("check.py", "sft")
    assert [row.scores["follows"] for row in checked(project)] == [0, 0.5]
    figures = json.loads((project.root / CHECKS.directory / "sft.json").read_text())
    assert figures == {"follows": {"instructions": 4, "followed": 1}}


def test_the_embedded_world_has_checks_of_its_own(embedded_project: Project) -> None:
    embedded_project.run_ok("generate.py", "sft")
    embedded_project.run_ok("check.py", "sft")
    assert set(checked(embedded_project)[0].scores) == {"finished", "no_loop", "shared_words"}
    assert all(score is not None for row in checked(embedded_project) for score in row.scores.values())
