"""The results as Markdown for a pull request: report/summary.md."""

from collections.abc import Sequence

from tuneproof.results.details.model import Details
from tuneproof.results.words.decisions import collapse_sentence, plan_sentence, ship_sentence
from tuneproof.results.words.notes import benchmark_note, family_note, panel_sentence, run_note
from tuneproof.results.words.people import agreement_note, agreement_table, first_sentences, people_sentences
from tuneproof.results.words.tables import markdown_table, markdown_text, table
from tuneproof.results.words.trust import judge_sentence
from tuneproof.results.words.verdicts import model_sentence


def summary_markdown(models: Sequence[Details]) -> str:
    """What kind of run, where people and judge disagree, the judge, the models, the table, and how far they agree."""
    run = models[0].run
    note = [f"> **{run_note(run)}**", ""] if run_note(run) else []
    said = [ship_sentence, model_sentence, collapse_sentence, panel_sentence]
    sentences = [f"- **{markdown_text(text)}**" for text in first_sentences(models)]
    sentences.append(f"- {markdown_text(judge_sentence(models))}")
    sentences += [f"- {markdown_text(text)}" for say in said for text in map(say, models) if text]
    sentences += [f"- {markdown_text(text)}" for text in people_sentences(models)]
    sentences += [f"- {markdown_text(text)}" for text in (plan_sentence(run), benchmark_note(models)) if text]
    lines = [*note, *sentences, "", *markdown_table(*table(models)), "", markdown_text(family_note(run)), ""]
    return "\n".join([*lines, *agreement_lines(models)])


def agreement_lines(models: Sequence[Details]) -> list[str]:
    """How far people and the judge agree, as a table with its note; nothing where nobody rated."""
    header, rows = agreement_table(models[0].run)
    if not rows:
        return []
    return [*markdown_table(header, rows), "", markdown_text(agreement_note(models[0].run)), ""]
