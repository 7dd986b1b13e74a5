"""The card of a published dataset: enough to trust its numbers, or to doubt them for good reasons."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from tuneproof.common.files import file_sha256
from tuneproof.common.places import project_root
from tuneproof.results.details.model import Details
from tuneproof.results.publishing.rows import (
    BENCHMARK_COLUMNS,
    BENCHMARKS,
    COLUMNS,
    COLUMNS_OF_CONVERSATIONS,
    SPLIT,
)
from tuneproof.results.repository import git_output
from tuneproof.results.words.decisions import collapse_sentence, plan_sentence, ship_sentence
from tuneproof.results.words.figures import NOTHING, gain_text, mean_text, share_text, win_rate_text
from tuneproof.results.words.notes import family_note
from tuneproof.results.words.tables import markdown_row, markdown_text
from tuneproof.results.words.trust import judge_sentence
from tuneproof.results.words.verdicts import VERDICT_WORDS, model_sentence, row_verdict
from tuneproof.settings.params import Params


def card_text(dataset: str, details: Details, params: Params) -> str:
    """The card in Markdown with the Hub's front matter; without dates, so that an unchanged run gives the same text."""
    name, source = shown_id(details.resolved.id), details.run.source
    sections = [
        front_matter(name, with_benchmarks=bool(details.benchmarks)),
        f"# Answers of {markdown_text(name)}, judged",
        f"{details.answers} answers of {place(details.resolved.id, details.resolved.sha)} to the {details.questions} "
        f"questions of {place(source.id, source.sha)}, each scored by an LLM judge against the rubric below. "
        "Made with Tuneproof.",
        "## Scores",
        "\n\n".join(
            markdown_text(text)
            for text in (
                judge_sentence([details]),
                ship_sentence(details),
                plan_sentence(details.run),
                model_sentence(details),
                collapse_sentence(details),
            )
            if text
        ),
        scores_table(details),
        f"Coverage {share_text(details.coverage)} is the share of answers that got a score. An answer without one is "
        "null here and left out of means. " + markdown_text(family_note(details.run)),
        "## Rubric",
        rubric(details),
        "## How it was made",
        made_of(details, params),
        "## Columns",
        columns(row_columns(details)),
        *(benchmark_section(dataset, details) if details.benchmarks else ()),
        "## Licence",
        f"Questions and references come from {place(source.id, None)}, answers from {place(details.resolved.id, None)} "
        "and analyses from the judge. Each keeps the terms of its source; look there before you use them for more "
        "than reading and checking.",
        "## Reproduce",
        reproduce(dataset),
    ]
    return "\n\n".join(sections) + "\n"


def revision_text() -> str:
    """Which code and data made the dataset: the Git commit and the hash of dvc.lock, where there are such."""
    lock = project_root() / "dvc.lock"
    data = f"; `dvc.lock` {file_sha256(lock)[:12]}" if lock.is_file() else ""
    return f"Project at Git commit `{git_revision()}`{data}."


def git_revision() -> str:
    """The commit of the project, marked where the work tree differs from it."""
    return git_output("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or "unknown"


def shown_id(identity: str) -> str:
    """A repository's id, or of a local path only its last part: where it lay on a disk is nobody's business."""
    local = identity.startswith((".", "/", "~")) or identity.count("/") > 1 or (project_root() / identity).exists()
    return Path(identity).name if local else identity


def place(identity: str, sha: str | None) -> str:
    """An id, with its commit where it has one."""
    name = f"`{markdown_text(shown_id(identity))}`"
    return f"{name} at commit `{sha}`" if sha else name


def front_matter(name: str, with_benchmarks: bool) -> str:
    """What the Hub reads: where the rows are, and what kind of data they are."""
    fields = {
        "pretty_name": f"Answers of {name}, judged",
        "license": "other",
        "license_name": "see-sources",
        "tags": ["evaluation", "llm-as-a-judge", "tuneproof"],
        "configs": [configuration("default", "data")],
    }
    if with_benchmarks:
        fields["configs"] = [configuration("default", "data"), configuration(BENCHMARKS, BENCHMARKS)]
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---"


def configuration(name: str, folder: str) -> dict[str, object]:
    """One table of the dataset and its files."""
    return {"config_name": name, "data_files": [{"split": SPLIT, "path": f"{folder}/{SPLIT}-*"}]}


def benchmark_section(dataset: str, details: Details) -> Iterator[str]:
    """How the benchmarks were asked, and their own columns."""
    yield "## Benchmarks"
    yield "\n".join(
        f"- {markdown_text(name)}: {markdown_text(task.task)}, metric {markdown_text(task.metric)}, {task.items} items"
        for name, task in details.benchmarks.items()
    )
    yield (
        f'`load_dataset("{dataset}", "{BENCHMARKS}")` has every item. Items of public benchmarks should not appear in '
        "training data: leave this table out of any."
    )
    yield columns(BENCHMARK_COLUMNS)


def scores_table(details: Details) -> str:
    """Mean with interval per criterion and, but for the baseline, gain and verdict; last the win rate, if any."""
    header = ["criterion", "scale", "mean"]
    if not details.is_baseline:
        header += [f"gain over {details.run.baseline}", "verdict"]
    rows = []
    for name, criterion in details.criteria.items():
        lowest, highest = details.run.criteria[name].ends
        row = [name, f"{lowest:g} to {highest:g}", mean_text(criterion)]
        rows.append(row if details.is_baseline else [*row, gain_text(criterion), row_verdict(details, name)])
    if rate := details.win_rate:
        rows.append(["win rate", "0% to 100%", win_rate_text(rate), NOTHING, VERDICT_WORDS[rate.verdict]])
    return "\n".join([markdown_row(header), markdown_row(["---"] * len(header)), *map(markdown_row, rows)])


def rubric(details: Details) -> str:
    """Every criterion with every step of its scale."""
    parts = []
    for name, criterion in details.run.rubric.items():
        steps = "\n".join(f"- {step}: {markdown_text(meaning)}" for step, meaning in criterion.scale.items())
        parts.append(f"**{name}**: {markdown_text(criterion.question)}\n\n{steps}")
    return "\n\n".join(parts)


def made_of(details: Details, params: Params) -> str:
    """Ids, commits and settings that determine the answers and their scores."""
    model, source, judge = details.resolved, details.run.source, details.run.judge
    split = f", split `{params.questions.split}`" if source.sha else ""
    judges = ", ".join(f"`{markdown_text(each['model'])}`" for each in judge.judges)
    sampling = params.generation(model.model).sampling
    by_tags = params.generate.temperature_by_tag
    temperature = "not sent" if params.judge.temperature is None else f"{params.judge.temperature:g}"
    named = [f"`{markdown_text(name)}`" for name in details.judge_models]
    lines = [
        f"Model: {place(model.id, model.sha)}, content `{model.content[:12]}`",
        f"Adapter: {place(model.adapter.id, model.adapter.sha)}" if model.adapter else "",
        f"Fallback: {markdown_text(model.fallback_reason)}" if model.fallback_reason else "",
        f"Questions: {place(source.id, source.sha)}{split}, content `{source.content[:12]}`",
        f"Fallback for the questions: {markdown_text(source.fallback_reason)}" if source.fallback_reason else "",
        f"Asked as `{model.prompt}` with engine `{model.engine}`",
        "Sampling: " + ", ".join(f"{name} {'not sent' if value is None else value}" for name, value in sampling),
        *(f"Temperature by {markdown_text(tag)}: {by_tag(values)}" for tag, values in by_tags.items()),
        f"Judge: {judges}, temperature {temperature}, {params.judge.samples} replies per answer",
        f"The judge's replies name their model as {', '.join(named)}" if named else "",
    ]
    return "\n".join(f"- {line}" for line in lines if line)


def by_tag(temperatures: Mapping[str, float]) -> str:
    """The temperatures of a tag's values."""
    return ", ".join(f"{markdown_text(value)} {temperature:g}" for value, temperature in temperatures.items())


def row_columns(details: Details) -> dict[str, str]:
    """The columns of answers; those of conversations only where there are answers to several turns."""
    has_turns = sum(details.finish_reasons.values()) > details.questions * details.samples
    scores = dict.fromkeys(details.run.rubric, "the score, or null")
    return COLUMNS | (COLUMNS_OF_CONVERSATIONS if has_turns else {}) | scores


def columns(known: Mapping[str, str]) -> str:
    """What each column holds."""
    return "\n".join(["| column | holds |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in known.items())])


def reproduce(dataset: str) -> str:
    """How to load the rows, and how to make them again."""
    load = f'load_dataset("{dataset}", split="{SPLIT}")'
    return (
        f"```python\nfrom datasets import load_dataset\n\nrows = {load}\n```\n\n"
        "With the project at the commit below: `dvc repro` (the commits of models and data are pinned in "
        "`data/pins.json`)."
    )
