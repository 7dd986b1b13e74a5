"""`report.py --against`: this run beside another commit's or experiment's, on a page to look at."""

import html
import itertools
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser import opened
from tests.made_up.aggregated_run import change_judgements
from tests.made_up.committed_run import SHAPE, change_scores, commit_as_it_is, commit_run, start_project
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.run import write_run
from tests.running import Done, run_here
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import ANSWERS
from tuneproof.records.rows import Answer, Judgement
from tuneproof.results.gate.answers import word_changes

PAGE = Path("report/changes.html")


@pytest.fixture
def project(first_run: Path, tmp_path: Path) -> Path:
    """A copy of that project, to change."""
    return Path(shutil.copytree(first_run, tmp_path / "project", symlinks=True))


def changes(project: Path, against: str = "HEAD") -> Done:
    """Writes the page against a revision."""
    done = run_here(project, "report.py", "--against", against)
    assert done.returncode == 0, done.stderr
    return done


def text_of(project: Path) -> str:
    """The page's words without its markup, white space as one space."""
    body = (project / PAGE).read_text(encoding="utf-8").partition("<body>")[2].replace("<wbr>", "")
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def set_params(project: Path, **sections: object) -> None:
    """Changes sections of params.yaml."""
    path = project / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for name, value in sections.items():
        params[name] = {**params.get(name, {}), **value} if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def fall_from_far_better(project: Path) -> None:
    """Commits a run in which sft is far better than the baseline, and lets it fall to a step above it."""
    change_scores(project, lambda place, score: 3)
    change_judgements(
        project, "baseline", lambda _, row: row.model_copy(update={"scores": {"accuracy": 1, "style": 2}})
    )
    commit_run(project, "far better")
    change_scores(project, lambda place, score: 2)


def test_the_same_run_changed_nothing(project: Path) -> None:
    said = changes(project).stderr.splitlines()
    assert said[0] == "report: sft, baseline against HEAD"
    assert said[-1] == "report: wrote report/changes.html; No regression, against HEAD"
    text = text_of(project)
    assert text.count("All 120 questions have the same answer.") == 2
    assert "nothing changed" in text and "params.yaml says the same in both runs." in text
    assert not (project / "report/index.html").exists()


def test_changed_answers_are_counted_and_explained_by_the_setting_that_changed(project: Path) -> None:
    set_params(project, generate={"sampling": {"temperature": 0.2}})
    change_scores(project, lambda place, score: score - 1)
    changes(project)
    text = text_of(project)
    assert "Regression, against HEAD" in text
    assert "120 of 120 questions have another answer" in text and "All 120 questions have the same answer" in text
    assert "generate.sampling.temperature left out to 0.2" in text
    assert "its answers to 120 questions changed" in text, "why the verdict is another one"
    assert "A regression of sft in accuracy." in text
    assert re.search(r"HEAD is commit [0-9a-f]{12} \.", text), "HEAD moves on"
    assert "10 of the 120 answers that changed, by how far the mean of their scores moved" in text
    assert re.search(r"sft : .+ ▼ worse accuracy 3 to 2", text), "a fall is marked, and the model is named"
    assert "the whole interval is below 0 and the change is below \u22120.1. Else" in text
    assert "hold together at 97.5%: the gate allows 2.5% of errors" in text
    assert "<ins>Now. </ins>" in (project / PAGE).read_text(encoding="utf-8")


def test_both_pages_say_with_what_they_compare_and_name_each_other(project: Path) -> None:
    fall_from_far_better(project)
    changes(project)
    page = (project / PAGE).read_text(encoding="utf-8")
    assert "href" not in page, "there is no report beside it"
    assert run_here(project, "report.py").returncode == 0
    assert (project / PAGE).is_file(), "it is of the same run"
    changes(project)
    text, page = text_of(project), (project / PAGE).read_text(encoding="utf-8")
    assert "Regression, against HEAD" in text
    assert "Against baseline, this run's report says: sft is better than baseline" in text
    assert "Both hold: sft is still better than baseline, and worse than in HEAD." in text
    assert re.search(r"baseline accuracy the same mean not gated 1.00 1.00", text)
    assert '<a href="index.html">' in page and '<a href="index.html#answers?question=' in page
    assert "<code>report/changes.html</code>" in (project / "report/index.html").read_text(encoding="utf-8")


def test_a_page_of_changes_of_another_run_goes_when_the_report_is_written(project: Path) -> None:
    changes(project)
    change_scores(project, lambda place, score: score - 1)
    done = run_here(project, "report.py")
    assert "report: removed report/changes.html, which compared another run" in done.stderr
    assert not (project / PAGE).exists()


def test_what_changes_no_result_explains_no_answer(project: Path) -> None:
    set_params(project, execution={"judge": {"concurrency": 3}})
    change_scores(project, lambda place, score: score)
    changes(project)
    text = text_of(project)
    assert re.search(r"execution.judge.concurrency .+ 3 no result", text)
    assert "no setting, model or file that differs explains it" in text


def test_a_moved_model_is_named_as_the_cause(project: Path) -> None:
    path = project / "data/resolved/sft.json"
    resolved = json.loads(path.read_text())
    path.write_text(json.dumps(resolved | {"sha": "f" * 40}))
    change_scores(project, lambda place, score: score)
    changes(project)
    assert re.search(r"sft: sha \w+ to ffffffffffff", text_of(project))


def test_another_judge_is_said_and_no_number_is_given(project: Path) -> None:
    path = project / "data/resolved/judge.json"
    judge = json.loads(path.read_text())
    path.write_text(json.dumps(judge | {"content": "another"}))
    change_scores(project, lambda place, score: score - 1)
    said = changes(project).stderr.splitlines()[-1]
    assert said.endswith("Scores cannot be compared with HEAD")
    text = text_of(project)
    assert text.count("the judge differs") == 1 and "No change of a score is given, for what is said above." in text
    assert "120 of 120 questions have another answer" in text, "answers can be compared all the same"
    assert "mean there" not in text


def test_other_questions_are_said_and_no_number_is_given(project: Path) -> None:
    write_run(project, replace(SHAPE, questions=31, seed=SHAPE.seed + 1))
    assert run_here(project, "aggregate.py").returncode == 0
    path = project / "data/questions.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(row | {"instruction": "Another?"}) + "\n" for row in rows), encoding="utf-8")
    changes(project)
    text = text_of(project)
    assert "0 questions are the same in both runs, of 31 here and 120 there." in text
    assert text.count("only 0 questions are the same in both runs") == 1
    assert "No change of a score is given" in text


def test_details_of_another_version_leave_answers_and_settings_to_look_at(project: Path) -> None:
    path = project / "data/details/sft.json"
    details = json.loads(path.read_text())
    del details["run"]["judge_settings"]
    path.write_text(json.dumps(details))
    commit_as_it_is(project, "by an older version")
    assert run_here(project, "aggregate.py").returncode == 0
    changes(project)
    text = text_of(project)
    assert text.count("that run's details cannot be read") == 1 and "No change of a score is given" in text


def test_a_model_that_joins_the_family_is_said_where_a_verdict_changes(project: Path) -> None:
    write_run(project, replace(SHAPE, models=("sft", "orpo", "baseline")))
    assert run_here(project, "aggregate.py").returncode == 0
    change_scores(project, lambda place, score: 1)
    changes(project)
    text = text_of(project)
    assert "Only here: orpo." in text
    assert "4 comparisons share the 0.05 of decision.alpha, 2 before" in text
    assert re.search(
        r"orpo Only in this run, so there is nothing to hold it against\. \w+.+ Gain over baseline: acc", text
    )


def test_a_gain_that_moved_is_said_also_where_the_verdict_is_as_it_was(project: Path) -> None:
    fall_from_far_better(project)
    changes(project)
    text = text_of(project)
    assert "better, as before Mean: accuracy 3.00 → 2.00, style " in text
    assert " Gain over baseline: accuracy +2.00 → +1.00, style " in text
    assert text.count("Gain over baseline") == 1, "the baseline has none over itself"


def test_answers_that_changed_have_the_judges_reasons_of_both_runs_and_equal_decimals(project: Path) -> None:
    say = {True: "Every claim of it is right.", False: "The second claim is <b>wrong</b>."}

    def reasoned(row: Judgement, good: bool, score: float) -> Judgement:
        scores = {"accuracy": score, "style": 2.0}
        analyses = {"accuracy": say[good], "style": "So."}
        reply = row.replies[0].model_copy(update={"scores": scores, "analyses": analyses})
        return row.model_copy(update={"scores": scores, "replies": [reply, reply]})

    change_judgements(project, "sft", lambda place, row: reasoned(row, True, 3))
    commit_run(project, "with reasons")
    change_judgements(project, "sft", lambda place, row: reasoned(row, False, 1 + place / 400))
    path = project / ANSWERS.path("sft")
    answers = read_rows(path, Answer, made_by="")
    write_rows(path, [one.model_copy(update={"answer": f"Now. {one.answer}"}) for one in answers])
    assert run_here(project, "aggregate.py").returncode == 0
    changes(project)
    text, page = text_of(project), (project / PAGE).read_text(encoding="utf-8")
    assert text.count(f"accuracy: {say[True]}") == text.count(f"accuracy: {say[False]}") == 10
    assert "style: So." not in text, "what did not change needs no reason"
    assert "accuracy 3.00 to 1.00" in text and "accuracy 3 to" not in text
    assert say[False] not in page, "it is escaped"


def test_a_file_of_recorded_answers_that_changed_is_named_and_no_hash_is_shown(project: Path) -> None:
    path = project / "data/resolved/sft.json"
    resolved = json.loads(path.read_text()) | {"id": "answers/sft.jsonl", "sha": None, "content": "a" * 64}
    path.write_text(json.dumps(resolved))
    commit_as_it_is(project, "recorded")
    path.write_text(json.dumps(resolved | {"content": "b" * 64}))
    change_scores(project, lambda place, score: score)
    changes(project)
    text = text_of(project)
    assert "sft: answers/sft.jsonl has other contents than before" in text and "aaaaaaaa" not in text


def test_a_section_that_was_empty_and_is_filled_is_one_change(project: Path) -> None:
    set_params(project, gate={"max_drops": {}})
    commit_as_it_is(project, "an empty section")
    set_params(project, gate={"max_drops": {"accuracy": 0.3}})
    changes(project)
    text = text_of(project)
    assert "gate.max_drops.accuracy left out 0.3 what the gate says" in text and "{}" not in text
    assert "limits of this run, which were others there: gate.max_drops.accuracy left out to 0.3." in text


def test_a_rehearsal_beside_a_longer_run_is_called_one(project: Path) -> None:
    path = project / "data/resolved/sft.json"
    resolved = json.loads(path.read_text())
    path.write_text(json.dumps(resolved | {"dummy": True}))
    commit_run(project, "a rehearsal")
    path.write_text(json.dumps(resolved))
    change_scores(project, lambda place, score: score)
    changes(project)
    assert "That run is a rehearsal of 120 questions, this one a real run of 120 questions." in text_of(project)


def test_what_differs_for_all_models_is_said_once(project: Path) -> None:
    set_params(project, generate={"sampling": {"temperature": 0.2, "seed": 7}})
    change_scores(project, lambda place, score: score)
    path = project / ANSWERS.path("baseline")
    answers = read_rows(path, Answer, made_by="")
    write_rows(path, [one.model_copy(update={"answer": f"Now. {one.answer}"}) for one in answers])
    changes(project)
    text = text_of(project)
    assert text.count("generate.sampling.seed left out to 7") == 1
    assert text.count("which of them changed the answers cannot be told apart.") == 1


def test_a_missing_revision_is_one_line_and_no_page(project: Path) -> None:
    done = run_here(project, "report.py", "--against", "no-such-branch")
    assert done.returncode == 1
    assert "error: revision no-such-branch: there is no such revision; name a commit" in done.stderr
    assert not (project / PAGE).exists()


@pytest.mark.parametrize(("before", "now"), [("a b c", "a x c"), ("", "new"), ("gone ", ""), ("a\n\nb", "a b")])
def test_marked_words_are_together_the_two_texts(before: str, now: str) -> None:
    parts = list(word_changes(before, now))
    assert "".join(text for kind, text in parts if kind != "new").split() == before.split()
    assert "".join(text for kind, text in parts if kind != "gone") == now or before.split() == now.split()


@pytest.mark.exhaustive
def test_hostile_texts_stay_texts_and_nothing_is_fetched(tmp_path: Path, browser: Browser) -> None:
    project = tmp_path / "project"
    start_project(project)
    shape = replace(SHAPE, hostile=HOSTILE_TEXTS, questions=60)
    write_run(project, shape)
    commit_run(project, "hostile")
    path = project / ANSWERS.path("sft")
    answers = read_rows(path, Answer, made_by="")
    texts = itertools.cycle(HOSTILE_TEXTS)
    write_rows(path, [one.model_copy(update={"answer": f"{one.answer} {next(texts)}"}) for one in answers])
    changes(project)
    for width, color_scheme in ((390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")):
        with opened(browser, project / PAGE, width=width, color_scheme=color_scheme, bypass_csp=True) as watched:
            watched.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
            assert watched.page.locator(".scroll-hint").first.is_visible() == (width == 390)
            verdict = watched.page.locator(".gate .verdict").first.bounding_box()
            assert verdict and verdict["x"] + verdict["width"] <= width, "what the gate says is not cut off"
            assert watched.is_quiet(), watched
            found = Axe().run(watched.page).response["violations"]
            assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    with opened(browser, project / PAGE) as watched:
        assert watched.is_quiet(), watched
