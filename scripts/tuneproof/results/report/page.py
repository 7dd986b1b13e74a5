"""The report's page: what its template is given."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tuneproof.common.version import VERSION
from tuneproof.records.handovers import ANSWERS
from tuneproof.records.keys import content_key
from tuneproof.results.details.model import Details
from tuneproof.results.details.slices import FEWEST_FOR_INTERVAL, Slice
from tuneproof.results.report.browser.data import Browser
from tuneproof.results.report.browser.script import page_script
from tuneproof.results.report.headline import confidence, detectable_note, headline, opening
from tuneproof.results.report.links import browser_link
from tuneproof.results.report.sections import losses
from tuneproof.results.report.sections.again import how_again
from tuneproof.results.report.sections.answers import Telling, alike_sentence, first_prompt, questions_with
from tuneproof.results.report.sections.benchmarks import lost_items, task_rows
from tuneproof.results.report.sections.losses import Worst
from tuneproof.results.report.sections.sources import source_table, sources_disagree
from tuneproof.results.report.showing import breakable, cell, gain_limit, minus, position, quoted, short, shown
from tuneproof.results.words import (
    decisions,
    figures,
    notes,
    pairs,
    people,
    programs,
    questions,
    tables,
    trust,
    verdicts,
)
from tuneproof.results.words.doubts import lengths, levels, limits, mistakes
from tuneproof.settings.generation import Sampling
from tuneproof.settings.params import Params

TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("report.css", "first.css")
RUN_KEY = '<meta name="run" content="{}">'  # of every page of results, as page_head.html writes it
HEAD_CHARACTERS = 2_000  # of a page, with all that stands before its style


def render(
    models: Sequence[Details],
    params: Params,
    browser: Browser,
    worst: Mapping[str, Sequence[Worst]],
    lost_to: Mapping[tuple[str, str], Sequence[Worst]],
    telling: Sequence[Telling],
) -> str:
    """The whole page."""
    return (
        page_templates()
        .get_template("report.html")
        .render(
            **WORDS,
            **SHOWING,
            **of_run(models, params),
            **of_sections(models),
            left_out=left_out(browser),
            data=Markup(browser.json),  # noqa: S704 (escaped for a script element by script_json)
            style=page_style(*(TEMPLATES / name for name in STYLES)),
            script=Markup(page_script()),  # noqa: S704 (files of the project)
            telling=telling,
            worst=worst,
            lost_to=lost_to,
            has_reasons=any(one.reasons for of_model in worst.values() for one in of_model),
            version=VERSION,
        )
    )


def of_run(models: Sequence[Details], params: Params) -> dict[str, Any]:
    """The run, what the page says of it first, and by what it was made."""
    return {
        "models": models,
        "compared": [details for details in models if not details.is_baseline],
        "run": models[0].run,
        "run_key": run_key(models),
        "params": params,
        "generation": {model: params.generation(model) for model in params.models},
        "prompts": {details.model: first_prompt(details.model) for details in models},
        "headline": headline(models),
        "confidence": confidence(models),
        "judge_sentences": trust.judge_sentences(models),
        "judge_needs_caution": trust.needs_caution(models),
        "judge_models": answered_as(models),
        "statuses": sorted({status for details in models for status in details.statuses if status != "ok"}),
    }


def of_sections(models: Sequence[Details]) -> dict[str, Any]:
    """What the sections show beside the details."""
    return {
        "undeciding": tables.undeciding(models[0].run),
        "sources": source_table(models),
        "disagreeing": sources_disagree(models),
        "benchmark_rows": task_rows(models),
        "lost_items": lost_items(models),
        "pairs": pairs.pairs(models),
        "alike": alike_answers([*pairs.pairs(models)[: pairs.neighbours(models)], *pairs.shipping_pairs(models)]),
        "kind_criteria": kind_criteria(models),
        "questions_with": questions_with(models),
        "again": how_again(),
    }


def run_key(models: Sequence[Details]) -> str:
    """What names a run on its pages: 12 hex digits over everything that is known of its models."""
    return content_key([details.model_dump(mode="json") for details in models])[:12]


def is_of_run(path: Path, key: str) -> bool:
    """Whether a page of results is there and of this run."""
    return (
        path.is_file() and RUN_KEY.format(key) in path.read_text(encoding="utf-8", errors="replace")[:HEAD_CHARACTERS]
    )


def page_templates(*folders: Path) -> Environment:
    """The templates of a page of results: those of these folders, and what all such pages share."""
    templates = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    templates.filters |= {"minus": minus, "cell": cell, "short": short, "quoted": quoted, "breakable": breakable}
    templates.globals["content_security_hash"] = content_security_hash
    return templates


def page_style(*paths: Path) -> Markup:
    """The style of a page, from files of the project."""
    return Markup("".join(path.read_text(encoding="utf-8") for path in paths))  # noqa: S704 (files of the project)


def alike_answers(shown: Sequence[pairs.Pair]) -> dict[tuple[str, str], str]:
    """What of the answers is the same, for each of these pairs once."""
    both = dict.fromkeys((details.model, other) for details, other in shown)
    return {pair: alike_sentence(*pair) for pair in both}


def kind_criteria(models: Sequence[Details]) -> list[str]:
    """The criteria by which kinds of question are told: those that decide and have scores by question."""
    run = models[0].run
    return [name for name in run.deciding if any(name in one.criteria for one in models[0].slices)]


def answered_as(models: Sequence[Details]) -> list[str]:
    """The names as which judges answered; empty where these are the ones that they were asked by."""
    found = {name for details in models for name in details.judge_models}
    return sorted(found) if found - {judge["model"] for judge in models[0].run.judge.judges} else []


def slice_of(details: Details, like: Slice) -> Slice | None:
    """The same questions of another model."""
    return next((one for one in details.slices if (one.tag, one.value) == (like.tag, like.value)), None)


def worsened_link(details: Details) -> str | None:
    """The address of the browser with just these questions; None where no filter asks for them."""
    names = details.run.by_question
    if names == list(details.run.rubric):
        return browser_link(model=details.model, change="worse", order="loss")
    only = names[0]
    if len(names) > 1 or not details.run.criteria[only].by_answer:
        return None
    return browser_link(model=details.model, criterion=only, change="worse", order=f"loss:{only}")


def sampling_text(sampling: Sampling, engines: Sequence[Mapping[str, Any]]) -> str:
    """How answers were sampled; a setting that is null, or that a served model does not know, was not sent."""
    not_sent = {name for engine in engines for name in engine.get("not_sent") or ()} | set(sampling.not_sent)
    names = ("temperature", "top_p", "min_p")
    parts = [f"{name} {'not sent' if name in not_sent else getattr(sampling, name)}" for name in names]
    by_tag = {tag for engine in engines for tag in engine.get("temperature_by_tag") or ()}
    parts += [f"temperature by {figures.plain_name(tag)}" for tag in sorted(by_tag)]
    parts.append("max_tokens not sent" if sampling.max_tokens is None else f"at most {sampling.max_tokens:,} tokens")
    parts.append("seed not sent" if sampling.seed is None else f"seed {sampling.seed}")
    return ", ".join(parts)


def content_security_hash(text: str) -> str:
    """The hash by which a Content-Security-Policy allows one inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def left_out(browser: Browser) -> str:
    """What the page does not hold, and where it stands whole; empty where nothing is missing."""
    parts = []
    if browser.questions < browser.of_questions:
        parts.append(
            f"the page holds the {browser.questions:,} of {browser.of_questions:,} questions on which the models "
            "differ most"
        )
    if browser.longest_text:
        parts.append(f"texts are cut after {browser.longest_text:,} characters")
    where = f"everything stands whole in {ANSWERS.directory.parent}/ (answers, judgements, comparisons)"
    return f"To stay under 15 MB, {' and '.join(parts)}; {where}." if parts else ""


# What the template calls: words by module, and how it writes values and addresses.
WORDS = {
    "decisions": decisions, "figures": figures, "notes": notes, "people": people, "programs": programs,
    "verdicts": verdicts, "trust": trust, "pairs_of": pairs, "questions": questions,
    "levels": levels, "limits": limits, "length_words": lengths, "mistakes": mistakes,
}  # fmt: skip
SHOWING = {
    "losses": losses, "slice_of": slice_of, "fewest_for_interval": FEWEST_FOR_INTERVAL, "link": browser_link,
    "position": position, "gain_limit": gain_limit, "opening": opening, "detectable_note": detectable_note,
    "sampling_text": sampling_text, "worsened_link": worsened_link,
}  # fmt: skip
