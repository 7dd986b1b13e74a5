"""The report's page: what its template is given."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tuneproof.records.handovers import ANSWERS
from tuneproof.records.keys import content_key
from tuneproof.results.details.model import Details
from tuneproof.results.details.slices import Slice
from tuneproof.results.report.answers import first_prompt, questions_with
from tuneproof.results.report.benchmarks import lost_items, task_rows
from tuneproof.results.report.browser import Browser, page_script, visible
from tuneproof.results.report.links import browser_link
from tuneproof.results.report.losses import Worst
from tuneproof.results.report.sources import source_table, sources_disagree
from tuneproof.results.words import (
    decisions,
    figures,
    levels,
    notes,
    pairs,
    people,
    programs,
    questions,
    tables,
    trust,
    verdicts,
)
from tuneproof.settings.generation import Sampling
from tuneproof.settings.params import Params

TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("report.css", "first.css")
OPENINGS = {  # in the order in which a reader wants them
    "better": "{names} {be} better than {baseline}",
    "worse": "{names} {be} worse than {baseline}",
    "mixed": "{names} {be} better than {baseline} in one respect and worse in another",
    "undecided": "{names} {be} undecided, not shown to differ from {baseline}",
    "too few": "{names}: too few questions to compare with {baseline}",
}
SHIP_OPENINGS = {"yes": "ship {names}", "no": "do not ship {names}", "not yet": "not yet: {names}"}
EACH_MAY_SHIP = "each of {names} may ship"  # where several may: which is better is another comparison
MOST_NAMES = 4  # more models with the same verdict are counted in the headline; each has its own sentence below
LONGEST_NAME = 200
RUN_KEY = '<meta name="run" content="{}">'  # of every page of results, as page_head.html writes it
HEAD_CHARACTERS = 2_000  # of a page, with all that stands before its style
NOT_KNOWN = "\N{EN DASH}"
SEPARATORS = re.compile(r"([/_]+|\.(?=[a-zA-Z]))")
NEGATIVE = re.compile(r"(?<!\w)-(?=[\d.])")
NICE_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


def render(models: Sequence[Details], params: Params, browser: Browser, worst: Mapping[str, Sequence[Worst]]) -> str:
    """The whole page."""
    return (
        page_templates()
        .get_template("report.html")
        .render(
            models=models,
            compared=[details for details in models if not details.is_baseline],
            run=models[0].run,
            run_key=run_key(models),
            params=params,
            generation={model: params.generation(model) for model in params.models},
            headline=headline(models),
            confidence=confidence(models),
            left_out=left_out(browser),
            browser=browser,
            data=Markup(browser.json),  # noqa: S704 (escaped for a script element by script_json)
            style=page_style(*(TEMPLATES / name for name in STYLES)),
            script=Markup(page_script()),  # noqa: S704 (files of the project)
            decisions=decisions,
            figures=figures,
            notes=notes,
            people=people,
            programs=programs,
            verdicts=verdicts,
            trust=trust,
            judge_sentence=trust.judge_sentence(models),
            judge_needs_caution=trust.needs_caution(models),
            undeciding=tables.undeciding(models[0].run),
            sources=source_table(models),
            disagreeing=sources_disagree(models),
            benchmark_rows=task_rows(models),
            lost_items=lost_items(models),
            worst=worst,
            has_reasons=any(one.reasons for of_model in worst.values() for one in of_model),
            pairs=pairs.pairs(models),
            pairs_of=pairs,
            kind_criteria=kind_criteria(models),
            slice_of=slice_of,
            questions=questions,
            questions_with=questions_with(models),
            prompts={details.model: first_prompt(details.model) for details in models},
            link=browser_link,
            position=position,
            gain_limit=gain_limit,
            judge_models=answered_as(models),
            statuses=sorted({status for details in models for status in details.statuses if status != "ok"}),
            opening=opening,
            undecided_note=undecided_note,
            sampling_text=sampling_text,
            levels=levels,
            worsened_link=worsened_link,
        )
    )


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
    if len(names) > 1 or details.run.criteria[only].source not in ("judge", "check"):
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


def shown(value: object) -> object:
    """A value as the page prints it: nothing invisible in a text, a dash for what is not known."""
    if value is None:
        return NOT_KNOWN
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def short(text: str) -> str:
    """A name or reason from outside, in one line of a bearable length."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_NAME else f"{line[:LONGEST_NAME]}…"


def breakable(text: str) -> Markup:
    """A path or dotted name that may break after its slashes and dots rather than within a word."""
    return Markup("").join(
        part if place % 2 == 0 else Markup("{}<wbr>").format(part)
        for place, part in enumerate(SEPARATORS.split(visible(text)))
    )


def quoted(text: str) -> str:
    """A text whose ends and line breaks can be seen."""
    return json.dumps(text, ensure_ascii=False)


def minus(numbers: str) -> str:
    """Numbers with real minus signs, hyphens of words left alone, and a dash where there is none."""
    return NOT_KNOWN if numbers == figures.NOTHING else NEGATIVE.sub("\N{MINUS SIGN}", numbers)


def cell(numbers: str) -> str:
    """Numbers of a table, which on a phone may break before an interval and not within it."""
    return minus(numbers).replace(", ", ",\N{NO-BREAK SPACE}")


def content_security_hash(text: str) -> str:
    """The hash by which a Content-Security-Policy allows one inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def headline(models: Sequence[Details]) -> str:
    """All decisions in one sentence, or all verdicts where there is no plan; first where none rests on the judge."""
    said, run = outcomes(models), models[0].run
    doubt = trust.no_verdict(run) if run.in_units_of == "judge" else ""
    return f"{doubt}; {said[0].lower() + said[1:] if run.plan else said}" if doubt else said


def outcomes(models: Sequence[Details]) -> str:
    """What came out of all models."""
    parts = []
    for ship, words_of in SHIP_OPENINGS.items():
        names = [details.model for details in models if details.decision and details.decision.ship == ship]
        if names:
            several = EACH_MAY_SHIP if ship == "yes" and len(names) > 1 else words_of
            listed = figures.listed(names) if len(names) <= MOST_NAMES else f"{len(names)} models"
            parts.append(several.format(names=listed))
    if parts:
        decisions = "; ".join(parts)
        return decisions[0].upper() + decisions[1:]
    for verdict in OPENINGS:
        names = [details.model for details in models if details.verdict == verdict]
        if names:
            parts.append(opening(verdict, names, models[0].run.baseline))
    return "; ".join(parts) or f"{models[0].run.baseline} stands alone: there is no model to compare it with"


def opening(verdict: str, names: Sequence[str], baseline: str) -> str:
    """The verdict on models that share it."""
    subject = figures.listed(names) if len(names) <= MOST_NAMES else f"{len(names)} models"
    return OPENINGS[verdict].format(names=subject, be="is" if len(names) == 1 else "are", baseline=baseline)


def confidence(models: Sequence[Details]) -> str:
    """How sure the verdicts are, for someone who has read nothing else."""
    run = models[0].run
    if run.at_chance:
        return "The verdicts below are what the scores would say, if the judge's scores said anything."
    if all(details.verdict in ("too few", None) for details in models):
        return f"A verdict needs {run.min_questions} questions that are scored in both; until then none is given."
    if all(details.verdict in ("too few", "undecided", None) for details in models):
        return (
            "Not shown is not the same as equal: these questions do not tell them apart "
            f"at {1 - run.alpha:.0%} confidence, over all that is claimed of the models{verdicts.sharing_clause(run)}."
        )
    return (
        f"How sure: at {1 - run.alpha:.0%} confidence, over all that is claimed of the models"
        f"{verdicts.sharing_clause(run)}. If no model truly differed from {run.baseline}, at most {run.alpha:.0%} of "
        "such runs would call any of them better or worse."
    )


def undecided_note(details: Details) -> str:
    """What so many questions could have shown on the criteria that stayed undecided; empty where none did."""
    open_ones = {
        name: one
        for name, one in details.criteria.items()
        if one.verdict == "undecided" and one.smallest_detectable is not None
    }
    if not open_ones:
        return ""
    paired = max(one.paired or 0 for one in open_ones.values())
    sizes = figures.listed([f"{one.smallest_detectable:.2f} in {name}" for name, one in open_ones.items()])
    note = f"With {paired:,} questions, a true difference under {sizes} often goes unseen."
    needed = [f"{one.questions_needed:,} ({name})" for name, one in open_ones.items() if one.questions_needed]
    return f"{note} To show the observed one takes about {figures.listed(needed)} questions." if needed else note


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


def position(value: float, low: float, high: float) -> str:
    """Where a value lies on an axis, in per cent of its length; what lies outside is put at its end."""
    return f"{100 * min(max((value - low) / (high - low), 0), 1):.2f}%"


def gain_limit(models: Sequence[Details], criterion: str) -> float:
    """Where the axis of gains ends on both sides: a round number just beyond every interval."""
    found = [details.criteria[criterion] for details in models]
    limits = [abs(limit) for one in found for limit in (one.gain_low, one.gain_high) if limit is not None]
    largest = max(limits, default=0) or 1
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in NICE_STEPS if step * power >= largest)
