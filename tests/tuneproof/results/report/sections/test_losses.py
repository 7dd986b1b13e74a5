import re
from pathlib import Path

from tests.made_up.aggregated_run import change_judgements, details, write_edges, write_small_changes
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.run import Shape, finished, write_run
from tests.running import run_here
from tuneproof.records.documents.agreement import AnswerLabels
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import ANSWERS, JUDGEMENTS, LABELLED
from tuneproof.records.rows import Answer, Judgement, Question
from tuneproof.results.report.links import browser_link
from tuneproof.results.report.sections.answers import LONGEST_BEGINNING, beginning
from tuneproof.results.report.sections.losses import (
    Worst,
    change_text,
    score_formats,
    score_text,
    worst_questions,
)
from tuneproof.results.report.sections.reasons import LONGEST_REASON
from tuneproof.results.report.showing import one_line
from tuneproof.results.words.questions import worst_heading

SHAPE = Shape(questions=60)
LOW = ({"accuracy": 2.0, "style": 1.0}, {"accuracy": 1.0, "style": 2.0})  # by sample
HIGH = ({"accuracy": 2.0, "style": 2.0}, {"accuracy": 3.0, "style": 3.0})


def aggregated(directory: Path) -> None:
    done = run_here(directory, "aggregate.py")
    assert done.returncode == 0, done.stderr


def test_a_worst_question_stands_with_both_scores_and_what_the_judge_said_of_the_answer(workspace: Path) -> None:
    write_run(workspace, SHAPE)
    aggregated(workspace)
    models = [details(workspace, model) for model in SHAPE.models]
    questions = read_rows(Path("data/questions.jsonl"), Question, made_by="")
    rows, baselines = (
        {row.id: row for row in read_rows(JUDGEMENTS.path(model), Judgement, made_by="")}
        for model in ("sft", "baseline")
    )
    found = worst_questions(models, questions)
    assert set(found) == {"sft", "dpo"}
    assert [one.id for one in found["sft"]] == [loss.question for loss in models[0].losses]
    for one, loss in zip(found["sft"], models[0].losses, strict=True):
        assert {name: after for name, _, after in one.scores} == loss.model
        fell = [name for name, before, after in one.scores if before and after and after < before]
        assert {name for name, _, _ in one.reasons} == set(fell) != set()
        said, beside = (of[one.id].replies[0].analyses or {} for of in (rows, baselines))
        for name, text, of_baseline in one.reasons:
            assert text == one_line(said[name], LONGEST_REASON)
            assert of_baseline == one_line(beside[name], LONGEST_REASON)


def test_of_several_samples_the_lowest_ones_reason_is_told(workspace: Path) -> None:
    write_run(workspace, Shape(questions=20, samples=2, unusable=0))

    def low(place: int, row: Judgement) -> Judgement:
        score, text = (1.0, "The low one.") if row.sample else (2.0, "The high one.")
        reply = row.replies[0].model_copy(update={"analyses": {"accuracy": text, "style": text}})
        return row.model_copy(update={"scores": {"accuracy": score, "style": score}, "replies": [reply]})

    change_judgements(workspace, "sft", low)
    high = {"scores": {"accuracy": 3.0, "style": 3.0}}
    change_judgements(workspace, "baseline", lambda place, row: row.model_copy(update=high))
    aggregated(workspace)
    questions = read_rows(Path("data/questions.jsonl"), Question, made_by="")
    found = worst_questions([details(workspace, model) for model in SHAPE.models], questions)["sft"]
    assert {text for one in found for _, text, _ in one.reasons} == {"The low one."}


def test_beside_a_reason_stand_the_answers_that_it_is_about_without_their_thinking(workspace: Path) -> None:
    write_run(workspace, Shape(questions=20, samples=2, unusable=0))
    change_judgements(workspace, "sft", lambda _, row: row.model_copy(update={"scores": LOW[row.sample]}))
    change_judgements(workspace, "baseline", lambda _, row: row.model_copy(update={"scores": HIGH[row.sample]}))
    for model in SHAPE.models:
        path = ANSWERS.path(model)
        rows = read_rows(path, Answer, made_by="")
        marked = {"thinking": "Let me think."}
        write_rows(
            path,
            [row.model_copy(update=marked | {"answer": f"{model} {row.sample}\n" + "so " * 99}) for row in rows],
        )
    aggregated(workspace)
    questions = read_rows(Path("data/questions.jsonl"), Question, made_by="")
    found = worst_questions([details(workspace, model) for model in SHAPE.models], questions)["sft"]
    assert len(found) == 5
    for one in found:
        assert [(who, text[:11].strip()) for who, text in one.answers] == [
            ("sft, accuracy", "sft 1 so so"),
            ("sft, style", "sft 0 so so"),
            ("baseline", "baseline 1"),
        ]
        assert all(LONGEST_BEGINNING - 3 < len(text) <= LONGEST_BEGINNING + 1 for _, text in one.answers)
        assert not any("think" in text or "\n" in text for _, text in one.answers)


def test_programs_people_and_the_pair_speak_beside_a_loss_and_a_shared_answer_is_named(workspace: Path) -> None:
    write_edges(workspace)
    rows = {model: read_rows(ANSWERS.path(model), Answer, made_by="") for model in ("sft", "dpo")}
    write_rows(ANSWERS.path("dpo"), rows["sft"])
    models = [details(workspace, model) for model in ("sft", "dpo", "orpo", "baseline")]
    lost = models[0].losses[0]
    labels = [
        AnswerLabels(
            key="k", model=model, id=lost.question, sample=sample, scores={"style": score}, preference=None, raters=1
        )
        for model, sample, score in (("sft", 0, 2.0), ("sft", 1, 3.0), ("baseline", 0, 2.0))
    ]
    write_rows(LABELLED.path, labels)
    questions = read_rows(Path("data/questions.jsonl"), Question, made_by="")
    first = worst_questions(models, questions)["sft"][0]
    assert first.people == [("style", 2.0, 2.5)]
    assert first.preference == lost.preference is not None
    assert [name for name, *_ in first.scores] == ["accuracy", "style"]
    differing = [name for name in ("no_loop", "shared_words") if lost.model[name] != lost.baseline[name]]
    assert [name for name, *_ in first.others] == differing != []
    assert all(" (word for word as dpo)" in who for who, _ in first.answers if who.startswith("sft"))
    done = run_here(workspace, "report.py")
    assert done.returncode == 0, done.stderr
    page = (workspace / "report/index.html").read_text(encoding="utf-8")
    assert "By programs:" in page
    assert "By people: <span>style 2 → 2.5</span>" in page
    assert "Shown both answers in both orders, the judge " in page
    assert "a mistake of the judge, in either answer, is likelier here" in page


def test_an_answer_that_is_empty_or_failed_says_so() -> None:
    row = Answer(
        id="a", sample=0, prompt="", answer=" ", finish_reason="stop", error=None, prompt_tokens=None,
        answer_tokens=None, key="k",
    )  # fmt: skip
    assert beginning(row) == "(empty)"
    failed = row.model_copy(update={"finish_reason": "error", "error": "the prompt is\ntoo long"})
    assert beginning(failed) == "(no answer: the prompt is too long)"


def test_the_heading_of_the_worst_questions_and_the_counts_agree(tmp_path: Path) -> None:
    write_small_changes(tmp_path)
    assert run_here(tmp_path, "report.py").returncode == 0
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    address = "#answers?model=sft&amp;change=worse&amp;order=loss"
    assert f'<a href="{address}">The 2 questions that got worse in accuracy or style</a>' in page
    assert "from half a step of the judge&#39;s scale on (0.5 in accuracy, 0.5 in style)" in page
    assert '2.00 → <b class="worse">1.50</b> (\N{MINUS SIGN}0.50)' in page
    assert '2.00 → <b class="">3.00</b> (+1.00)' in page
    assert (
        "mean 2.00 → 2.00 on a scale of 1 to 3; answers nearest to the lowest score 0% → 2%, to the highest 0% → 2%"
        in page
    )


def test_more_questions_than_are_shown_are_counted(tmp_path: Path) -> None:
    finished(tmp_path, Shape(questions=60))
    sft = details(tmp_path, "sft")
    assert sft.worsened > len(sft.losses) == 5
    assert (
        worst_heading(sft) == f"The {sft.worsened} questions that got worse in accuracy or style; the 5 worst of them"
    )
    one = sft.model_copy(update={"worsened": 1, "losses": sft.losses[:1]})
    assert worst_heading(one) == "The question that got worse in accuracy or style"


def test_a_judge_without_words_leaves_no_reason_and_the_page_says_so(tmp_path: Path) -> None:
    write_run(tmp_path, SHAPE)
    for model in SHAPE.models:
        change_judgements(
            tmp_path,
            model,
            lambda _, row: row.model_copy(
                update={"replies": [reply.model_copy(update={"analyses": None}) for reply in row.replies]}
            ),
        )
    aggregated(tmp_path)
    done = run_here(tmp_path, "report.py")
    assert done.returncode == 0, done.stderr
    assert "This judge writes no reasons." in (tmp_path / "report/index.html").read_text(encoding="utf-8")


def test_hostile_questions_and_reasons_are_text_on_the_first_screen(tmp_path: Path) -> None:
    page = finished(tmp_path, Shape(questions=40, hostile=HOSTILE_TEXTS)).read_text(encoding="utf-8")
    first = page.split('id="losses"')[1].split('aria-labelledby="scores"')[0]
    assert set(re.findall(r"<(\w+)", first)) <= {
        "a", "b", "bdi", "div", "h3", "h4", "li", "ol", "p", "section", "span",
        "table", "tbody", "td", "th", "thead", "tr",
    }  # fmt: skip
    assert 'class="reason"' in first
    assert 'class="begun"' in first


def test_a_link_into_the_browser_keeps_any_text_as_a_value() -> None:
    assert browser_link(model="sft", status="refused", finish=None) == "#answers?model=sft&status=refused"
    assert browser_link(question='a"&b=<c>#') == "#answers?question=a%22%26b%3D%3Cc%3E%23"
    assert browser_link(order="loss:accuracy") == "#answers?order=loss:accuracy"


def test_counts_of_the_page_lead_into_the_browser(tmp_path: Path) -> None:
    page = finished(tmp_path, Shape(questions=200, unusable=0.1)).read_text(encoding="utf-8")
    sft = details(tmp_path, "sft")
    links = {
        address.replace("&amp;", "&"): text
        for address, text in re.findall(r'<a href="(#answers\?[^"]*)"[^>]*>([^<]+)<', page)
    }
    changes = sft.criteria["style"].changes
    assert changes
    assert links["#answers?model=sft&criterion=style&change=worse&order=loss:style"] == str(changes.worse)
    assert links["#answers?model=sft&criterion=style&change=same"] == str(changes.same)
    for status, count in sft.statuses.items():
        if status != "ok":
            assert links[f"#answers?model=sft&status={status}"].split()[0] == str(count)
    assert links["#answers?model=sft&finish=length"].split()[0] == str(sft.finish_reasons["length"])


def test_scores_of_a_criterion_have_the_same_decimals_and_whole_ones_none() -> None:
    whole = Worst("q", "?", [("style", 3, 1.0), ("accuracy", 2.0, 1.25)], ["style"])
    other = Worst("r", "?", [("style", None, 2), ("accuracy", 3.0, 3.0)], ["style"])
    assert score_formats({"sft": [whole], "dpo": [other]}) == {"style": "%.0f", "accuracy": "%.2f"}
    assert score_formats({}) == {}
    said = [change_text(2.0, after, "%.2f", (1, 3)) for after in (1.25, 2.5, 2.001)]
    assert said == ["\N{MINUS SIGN}0.75", "+0.50", "0"]
    assert score_text(1.0, "%.2f", (1, 3)) == "1.00"


def test_yes_and_no_are_written_1_and_0_beside_a_mean_of_several() -> None:
    assert [score_text(score, "%.2f", (0.0, 1.0)) for score in (0.0, 0.5, 1.0)] == ["0", "0.50", "1"]
    assert change_text(1.144, 1.1361, "%.2f", (1, 3)) == "0", "what is written the same has not changed"
    assert change_text(1.0, 0.0, "%.2f", (0.0, 1.0)) == "\N{MINUS SIGN}1"
    assert change_text(0.5, 1.0, "%.2f", (0.0, 1.0)) == "+0.50"
