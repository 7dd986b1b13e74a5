"""Train: an evaluator is learned from judged and labelled answers, and measured on questions that it has not seen."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Project
from tests.made_up.evaluators import TOPICS, YES_NO, labelled
from tests.made_up.labels import label
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import ANSWERS, LABELS, QUESTIONS
from tuneproof.records.keys import answer_label_key
from tuneproof.scoring.evaluator import load
from tuneproof.scoring.evaluator.learning.examples import Classes
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.worlds import EMBEDDED_CRITERIA

PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".npy"}


def no_pickle_in(folder: Path) -> bool:
    """Whether no file of a folder is one, by its name or its first bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return bool(files) and not any(
        path.suffix in PICKLES or path.read_bytes()[:2] in (b"\x80\x02", b"\x80\x04", b"\x80\x05", b"PK")
        for path in files
    )


def own_table(project: Project, classes: Classes, questions: int = 40, **renamed: str) -> None:
    """Writes labelled answers as labels.csv and has the evaluator learn from it."""
    names = {name: renamed.get(name, name) for name in ("input", "output", "ground_truth", "label")}
    with (project.root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names.values())
        for example in labelled(questions, classes):
            texts = example.texts
            writer.writerow([texts.input, texts.output, texts.ground_truth, example.label])
    project.set(evaluator__data="labels.csv", evaluator__data_columns=names)


def with_labels_alone(project: Project, criterion: str = "useful") -> None:
    """A project that has only the user's own labels: validated by hand, for its models are not here."""
    resolved = project.root / "data" / "resolved"
    resolved.mkdir(exist_ok=True)
    judge = {"run": "real", "backend": "openai", "judges": []}
    (resolved / "judge.json").write_text(json.dumps(judge))
    evaluator = {"run": "real", "id": "embedded", "sha": None, "content": None, "data": None}
    (resolved / "evaluator.json").write_text(json.dumps(evaluator))
    project.set(evaluator__criteria={criterion: {}})


def report_of(project: Project, criterion: str) -> dict[str, Any]:
    """The figures that were written."""
    found: dict[str, Any] = json.loads((project.root / f"report/evaluator/{criterion}.json").read_text())
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The embedded world, judged, with evaluators asked for."""
    folder = tmp_path_factory.mktemp("train") / "project"
    folder.mkdir()
    project = Project(folder)
    project.set(embedded=True, evaluator__criteria={"accuracy": {}, "style": {"columns": ["output"]}})
    project.run_ok("validate.py")
    for model in project.params()["models"]:
        project.run_ok("generate.py", model)
        project.run_ok("judge.py", model)
    return project


def test_it_learns_the_embedded_judges_criterion(judged: Project) -> None:
    said = judged.run_ok("train.py", "accuracy")
    assert "labelled answers to learn from" in said
    assert "are few" not in said  # of the demonstration that is known
    figures = report_of(judged, "accuracy")
    assert figures["kappa"]["evaluator"] > figures["kappa"]["length_only"] + 0.2
    assert figures["auc"]["low"] <= figures["auc"]["evaluator"] <= figures["auc"]["high"]
    assert no_pickle_in(judged.root / "data/evaluator/accuracy")
    assert load(judged.root / "data/evaluator/accuracy").manifest.columns == ("input", "output", "ground_truth")


@pytest.fixture(scope="module")
def of_style(judged: Project) -> Project:
    """The same with an evaluator of style."""
    judged.run_ok("train.py", "style")
    return judged


def test_the_same_examples_make_the_same_evaluator(of_style: Project) -> None:
    judged = of_style
    folder, report = judged.root / "data/evaluator/style", judged.root / "report/evaluator/style.json"
    before = {path: path.read_bytes() for path in [*folder.iterdir(), report]}
    judged.run_ok("train.py", "style")
    assert {path: path.read_bytes() for path in [*folder.iterdir(), report]} == before


def test_plots_get_numbers(of_style: Project) -> None:
    for name, columns in (("loss", ["step", "loss"]), ("calibration", ["probability", "share", "count"])):
        with (of_style.root / f"report/evaluator/style/{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert rows
        assert list(rows[0]) == columns
        assert all(float(value) >= 0 for row in rows for value in row.values())


def rate_all(project: Project, rater: str, score: int) -> Path:
    """Has a rater give every answer of the embedded world the same accuracy."""
    questions = {question.id: question for question in QUESTIONS.read(project.root)}
    rubric = rubric_of(EMBEDDED_CRITERIA)
    rows = []
    for model in project.params()["models"]:
        for answer in ANSWERS.read(model, project.root):
            question = questions[answer.id]
            key = answer_label_key(question.asked, question.reference, answer.answer, rubric)
            rows.append(label(key=key, id=answer.id, scores={"accuracy": score}, rater=rater, instructions=None))
    path = project.root / LABELS.path(rater)
    write_rows(path, rows)
    return path


def test_people_stand_in_the_judges_place(judged: Project) -> None:
    path = rate_all(judged, "anna", 3)
    assert "all answers to learn from are of class '3'" in judged.error_line("train.py", "accuracy")
    path.unlink()


def test_people_are_measured_among_themselves(judged: Project) -> None:
    paths = [rate_all(judged, rater, score) for rater, score in (("anna", 3), ("ben", 2))]
    rows = [line.replace('"accuracy":3', '"accuracy":1') if n % 2 else line
            for n, line in enumerate(paths[0].read_text().splitlines())]  # fmt: skip
    paths[0].write_text("\n".join(rows))
    judged.run_ok("train.py", "accuracy")
    figures = report_of(judged, "accuracy")
    assert figures["kappa"]["people"] <= 0.1
    assert figures["learned_from"]["from_people"] == figures["learned_from"]["answers"]
    for path in paths:
        path.unlink()


@pytest.mark.parametrize("classes", [YES_NO, TOPICS], ids=["yes and no", "without order"])
def test_any_classification_is_learned_from_a_file(project: Project, classes: Classes) -> None:
    own_table(project, classes)
    with_labels_alone(project)
    said = project.run_ok("train.py", "useful")
    assert "160 labelled answers are few" in said
    loaded = load(project.root / "data/evaluator/useful")
    assert (loaded.manifest.classes, loaded.manifest.steps) == (classes.names, classes.steps)
    figures = report_of(project, "useful")
    assert figures["kappa"]["evaluator"] > max(figures["kappa"]["length_only"], 0.3)
    assert figures["held_out"] == {"answers": 40, "questions": 10}


def test_columns_may_have_other_names(project: Project) -> None:
    own_table(project, YES_NO, input="question", output="text", label="useful")
    with_labels_alone(project)
    assert "wrote data/evaluator/useful" in project.run_ok("train.py", "useful")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("output,label\n", "the file has no rows"),
        ("answer,label\na,1\n", "there is no column output, only answer, label"),
        ("output,verdict\na,1\n", "there is no column label, only output, verdict"),
        ("output,label\na,\nb,\n", "no row has a label in label"),
        ("output,label\n,1\nb,0\n", "row 1: it has a label and no output"),
        ("output,label\na,1\nb,1\n", "every label is '1'"),
        ("output,label\n" + "".join(f"a{n},{n / 7}\n" for n in range(40)), "a measurement and no scale"),
        ("output,label\n" + "".join(f"a{n},class {n}\n" for n in range(60)), "its labels are 60 different texts"),
        ("output,label\na,yes\nb,no\n", "there are labelled answers to 2 questions"),
        ("output,label\n\"a,1\n", "this is not CSV"),
    ],
)  # fmt: skip
def test_a_table_that_teaches_nothing_is_one_line(project: Project, text: str, found: str) -> None:
    (project.root / "labels.csv").write_text(text)
    project.set(evaluator__data="labels.csv")
    with_labels_alone(project)
    assert found in project.error_line("train.py", "useful")
    assert not (project.root / "data/evaluator/useful").exists()


def test_a_criterion_that_is_not_asked_for_is_one_line(project: Project) -> None:
    with_labels_alone(project, "accuracy")
    assert "evaluator.criteria has accuracy; name it there" in project.error_line("train.py", "style")


def test_a_criterion_without_labels_is_refused_at_once(project: Project) -> None:
    project.set(evaluator__criteria={"useful": {}})
    assert "there is no 'useful'" in project.error_line("validate.py")
