import json
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.labels import label
from tests.made_up.run import Shape, write_run
from tests.running import run_here
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import ANSWERS, LABELS
from tuneproof.records.keys import answer_label_key, pair_label_key
from tuneproof.records.rows import Question
from tuneproof.results.details.model import Details, read_all_details
from tuneproof.results.report.browser.data import Browser, answer_browser, shortened
from tuneproof.results.report.browser.script import SCRIPT_DIRECTORY, SCRIPT_PARTS
from tuneproof.results.report.browser.texts import script_json, visible
from tuneproof.results.report.labels import Labels, read_page_labels
from tuneproof.settings.evidence.people import rubric_of
from tuneproof.settings.reading import load_params


def run_of(workspace: Path, shape: Shape) -> tuple[list[Details], list[Question]]:
    write_run(workspace, shape)
    done = run_here(workspace, "aggregate.py")
    assert done.returncode == 0, done.stderr
    return read_all_details(load_params()), read_rows(Path("data/questions.jsonl"), Question, made_by="validate.py")


def rows_in(browser: Browser) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(browser.json)["questions"]
    return rows


def test_every_question_and_answer_is_there_uncut(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=30, samples=2))
    browser = answer_browser(models, questions, Labels())
    rows = rows_in(browser)
    assert (browser.questions, browser.of_questions, browser.longest_text) == (30, 30, None)
    assert {row["id"] for row in rows} == {question.id for question in questions}
    assert all([len(samples) for samples in row["answers"]] == [2, 2, 2] for row in rows)
    by_id = {row["id"]: row for row in rows}
    answers = [json.loads(line) for line in Path("data/answers/dpo.jsonl").read_text().splitlines()]
    assert all(by_id[row["id"]]["answers"][1][row["sample"]]["text"] == row["answer"] for row in answers)


def test_scores_and_analyses_are_those_of_the_judgements(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=20, unusable=0.3))
    by_id = {row["id"]: row for row in rows_in(answer_browser(models, questions, Labels()))}
    for judgement in map(json.loads, Path("data/judgements/sft.jsonl").read_text().splitlines()):
        shown = by_id[judgement["id"]]["answers"][0][0]
        assert shown["status"] == judgement["status"]
        if judgement["status"] == "ok":
            assert shown["scores"] == [judgement["scores"]["accuracy"], judgement["scores"]["style"]]
            assert shown["judges"][0]["analyses"] == list(judgement["analyses"].values())
        else:
            assert shown["scores"] is None
            assert shown["why"] or judgement["status"] == "no_answer"


def test_questions_on_which_models_differ_most_come_first(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=40, criteria={"accuracy": (0, 1), "style": (1, 5, 9)}))
    spreads = [sum(row["spreads"]) for row in rows_in(answer_browser(models, questions, Labels()))]
    assert spreads == sorted(spreads, reverse=True)
    assert 0 <= spreads[-1] <= spreads[0] <= 2


def test_long_texts_are_cut_to_fit_and_say_by_how_much(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=20, sentences=200))
    browser = answer_browser(models, questions, Labels(), most_bytes=300_000)
    assert browser.questions == 20
    assert browser.longest_text
    assert len(browser.json.encode()) <= 300_000
    texts = [samples[0]["text"] for row in rows_in(browser) for samples in row["answers"]]
    shown, missing = next(text for text in texts if isinstance(text, list))
    assert len(shown) == browser.longest_text
    assert missing > 0


def test_questions_are_left_out_when_cutting_is_not_enough(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=60))
    everything = rows_in(answer_browser(models, questions, Labels()))
    least = [row["id"] for row in everything[-3:]]
    lost = {loss.question for details in models for loss in details.losses}
    assert not lost & set(least)
    for most_bytes in (60_000, 40_000):
        browser = answer_browser(models, questions, Labels(), least, most_bytes)
        assert len(browser.json.encode()) <= most_bytes
        assert 0 < browser.questions < browser.of_questions == 60
        shown = [row["id"] for row in rows_in(browser)]
        assert {*lost, *least} <= set(shown), "the page leads to them"
        others = [one for one in shown if one not in lost and one not in least]
        assert others == [row["id"] for row in everything if row["id"] not in lost][: len(others)]


def test_questions_without_tags_have_their_kinds_in_the_browser(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=60))
    bare = [question.model_copy(update={"tags": {}}) for question in questions]
    rows = rows_in(answer_browser(models, bare, Labels()))
    assert {name for row in rows for name, _ in row["tags"]} == {"length", "topic"}


def test_a_run_without_comparisons_has_no_pairs(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=10))
    assert any(any(row["pairs"]) for row in rows_in(answer_browser(models, questions, Labels())))
    for path in Path("data/comparisons").iterdir():
        path.unlink()
    assert not any(any(row["pairs"]) for row in rows_in(answer_browser(models, questions, Labels())))


def test_an_answer_without_a_judgement_is_shown_as_not_judged(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=5))
    path = Path("data/judgements/sft.jsonl")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    statuses = [row["answers"][0][0]["status"] for row in rows_in(answer_browser(models, questions, Labels()))]
    assert statuses.count("not judged") == 1


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_json_in_a_script_element_holds_no_markup_and_means_the_same(text: str) -> None:
    embedded = script_json({text: [text]})
    assert not set("<>&\u2028\u2029") & set(embedded)
    assert json.loads(embedded) == {text: [text]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nwith lines", "plain\ttext\nwith lines"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\x00\x1b[31m", "⟨U+0000⟩⟨U+001B⟩[31m"),
        ("broken \ud83d half", "broken ⟨U+D83D⟩ half"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("windows\r\nline", "windows\nline"),
        ("family 👩‍👩‍👧, नमस्ते क्‍ष", "family 👩‍👩‍👧, नमस्ते क्‍ष"),
    ],
)
def test_invisible_characters_become_visible_and_others_stay(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_ids_are_never_shortened() -> None:
    assert shortened({"id": "long id", "text": "long text", "n": 1}, 4) == {
        "id": "long id",
        "text": ["long", 5],
        "n": 1,
    }


def test_a_pair_holds_what_every_judge_of_a_panel_said(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=3, samples=2, unusable=0))
    path = Path("data/comparisons/sft.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    reply = rows[0]["replies"][0]
    refused = reply | {"status": "refused", "scores": None, "analyses": None, "error": "no"}
    said = [reply | {"analyses": {"preference": text}} for text in ("The first judge.", "The second.")]
    rows[0]["replies"] = [said[0], said[1], refused]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = rows_in(answer_browser(models, questions, Labels()))
    shown = next(row for row in found if row["id"] == rows[0]["id"])["pairs"][0]
    assert shown[0]["text"] == "The first judge.\n\nThe second."
    assert [(pair["sample"], pair["order"]) for pair in shown] == [
        (0, "model_first"), (0, "baseline_first"), (1, "model_first"), (1, "baseline_first"),
    ]  # fmt: skip


def test_checks_stand_beside_each_answer(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=5, run="embedded"))
    data = json.loads(answer_browser(models, questions, Labels()).json)
    names = [check["name"] for check in data["checks"]]
    assert names == ["finished", "no_loop", "shared_words"]
    answers = [answer for row in data["questions"] for samples in row["answers"] for answer in samples]
    assert all(answer["checks"] == [[1.0, ""]] * 3 for answer in answers)


def test_what_people_said_stands_beside_the_answer_that_they_said_it_of(workspace: Path) -> None:
    models, questions = run_of(workspace, Shape(questions=5, unusable=0))
    params, question = load_params(), questions[3]
    texts = {
        model: next(row.answer for row in ANSWERS.iterate(model) if row.id == question.id) for model in params.models
    }
    asked = (question.asked, question.reference)
    keys = {
        "answer": answer_label_key(*asked, texts["dpo"], rubric_of(params.judge.criteria)),
        "pair": pair_label_key(*asked, texts["baseline"], texts["sft"], params.compare.criteria),
    }
    said = [
        label(key=keys["answer"], scores={"style": 3}, note="a\u202eb", instructions=params.instructions),
        label(key=keys["answer"], rater="ben", instructions="of an earlier round"),
        label(key=keys["pair"], kind="pair", scores=None, preference=1, instructions=None),
    ]
    write_rows(LABELS.path("anna"), said[::2])
    write_rows(LABELS.path("ben"), said[1:2])
    rows = {row["id"]: row for row in rows_in(answer_browser(models, questions, read_page_labels(params)))}
    row = rows.pop(question.id)
    assert row["answers"][1][0]["people"] == [{"rater": "anna", "scores": [None, 3], "note": "a⟨U+202E⟩b"}]
    assert row["opinions"] == [[{"rater": "anna", "preference": 0, "note": ""}], [], []]
    assert "people" not in json.dumps(list(rows.values()))
    assert "opinions" not in json.dumps(list(rows.values()))


def test_the_script_is_made_of_every_part() -> None:
    assert sorted(SCRIPT_PARTS) == sorted(path.stem for path in SCRIPT_DIRECTORY.iterdir())
