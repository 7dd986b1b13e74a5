"""The answers by which a reader can judge the judge."""

from pathlib import Path

from tests.made_up.aggregated_run import aggregate, change_judgements, details
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.run import Shape, finished, write_run
from tuneproof.records.files import read_rows, write_rows
from tuneproof.records.handovers import ANSWERS, JUDGEMENTS
from tuneproof.records.rows import Answer, Judgement, Question
from tuneproof.results.details.model import Details
from tuneproof.results.report.sections.answers import LONGEST_BEGINNING, alike_sentence, telling_answers

SHAPE = Shape(questions=40)


def models_of(directory: Path) -> list[Details]:
    aggregate(directory)
    return [details(directory, model) for model in SHAPE.models]


def test_the_weakest_models_best_answer_and_the_strongest_ones_worst_are_shown(workspace: Path) -> None:
    write_run(workspace, SHAPE)
    models = models_of(workspace)
    questions = read_rows(Path("data/questions.jsonl"), Question, made_by="")
    found = telling_answers(models, questions)
    assert [one.criterion for one in found] == ["accuracy", "accuracy", "style", "style"]
    for name in ("accuracy", "style"):
        best, worst = (one for one in found if one.criterion == name)
        means = {one.model: one.criteria[name].mean or 0 for one in models}
        assert (best.model, worst.model) == (min(means, key=means.__getitem__), max(means, key=means.__getitem__))
        for one, end in ((best, max), (worst, min)):
            rows = read_rows(JUDGEMENTS.path(one.model), Judgement, made_by="")
            assert one.score == end(row.scores[name] for row in rows if row.scores)
            answers = {row.id: row.answer for row in read_rows(ANSWERS.path(one.model), Answer, made_by="")}
            assert " ".join(answers[one.question].split()).startswith(one.begins.rstrip("…"))
            assert len(one.begins) <= LONGEST_BEGINNING + 1


def test_what_no_judge_scored_is_no_example(workspace: Path) -> None:
    write_run(workspace, SHAPE)

    def refused(place: int, row: Judgement) -> Judgement:
        return row.model_copy(update={"scores": None, "analyses": None, "status": "refused"})

    for model in SHAPE.models:
        change_judgements(workspace, model, refused)
    assert telling_answers(models_of(workspace), []) == []


def test_answers_that_two_models_share_word_for_word_are_counted(workspace: Path) -> None:
    write_run(workspace, SHAPE)
    path = ANSWERS.path("sft")
    own = read_rows(path, Answer, made_by="")
    unlike = [row.model_copy(update={"answer": f"{row.answer} of sft"}) for row in own]
    write_rows(path, unlike)
    assert alike_sentence("dpo", "sft") == ""
    of_dpo = {row.id: row.answer for row in read_rows(ANSWERS.path("dpo"), Answer, made_by="")}
    write_rows(path, [row.model_copy(update={"answer": of_dpo[row.id]}) for row in unlike[:3]] + unlike[3:])
    assert alike_sentence("dpo", "sft") == "Of 40 answers of dpo, 3 are word for word those of sft."


def test_the_page_leads_to_them_and_their_texts_stay_texts(tmp_path: Path) -> None:
    page = finished(tmp_path, Shape(questions=40, hostile=HOSTILE_TEXTS)).read_text(encoding="utf-8")
    shown = page.split("Judge it by its answers")[1].split("</ul>")[0]
    assert shown.count('<a href="#answers?question=') == 4
    assert "<script" not in shown
    assert "<img" not in shown
