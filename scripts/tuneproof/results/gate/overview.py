"""This run beside another: what changed in settings, answers, scores and verdicts, and what explains it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneproof.common.errors import UserError
from tuneproof.records.handovers import ANSWERS, DETAILS_DIRECTORY, QUESTIONS
from tuneproof.results.details.model import Details, read_details
from tuneproof.results.details.run import RunDetails
from tuneproof.results.gate.causes import SCORES, VERDICTS, Causes, causes
from tuneproof.results.gate.decision import Findings
from tuneproof.results.gate.findings import ANOTHER_VERSION, compare_runs
from tuneproof.results.gate.items import NotComparableError
from tuneproof.results.gate.sides import content
from tuneproof.results.words.decisions import SHIP_WORDS
from tuneproof.results.words.figures import plain_name
from tuneproof.results.words.notes import RUN_KINDS
from tuneproof.results.words.verdicts import VERDICT_WORDS
from tuneproof.settings.params import Params

GAIN, MEAN = "gain", "mean"  # fields of CriterionDetails
Texts = dict[str, list[str]]  # by question: the answers' samples and turns in their order


@dataclass(frozen=True)
class AnswerCounts:
    """A model's answers to the questions that are the same in both runs, and what explains those that changed."""

    same: int
    changed: int
    only_here: int
    only_there: int
    why: list[str]


@dataclass(frozen=True)
class ModelChange:
    """One model in both runs. A verdict is None where it has none, or where its details cannot be read.

    `gains` has both gains over the baseline by criterion, the other run's first, where any of them is not the same, and
    `means` likewise the means.
    """

    model: str
    answers: AnswerCounts | None  # None where only this run has the model
    verdict_before: str | None
    verdict_now: str | None
    why: list[str]
    gains: list[str]
    means: list[str]

    @property
    def verdict_changed(self) -> bool:
        """Whether both runs say something, and not the same."""
        return None not in (self.verdict_before, self.verdict_now) and self.verdict_before != self.verdict_now


@dataclass(frozen=True)
class Overview:
    """All that the page shows. `findings` are the gate's; None where `not_comparable` says why there are none."""

    against: str
    commit: str  # what `against` is now: a branch or HEAD moves on
    here: list[Details]  # of all models of this run
    questions: int
    questions_there: int
    same_questions: int
    models: list[ModelChange]
    new: list[ModelChange]
    gone: list[str]
    causes: Causes
    findings: Findings | None
    not_comparable: str
    kinds: tuple[str, str] | None  # of the two runs, that one first; None where they are of one kind, or it is unknown
    means: dict[tuple[str, str], tuple[float | None, float | None]]  # by model and criterion: there, here

    @property
    def run(self) -> RunDetails:
        """What all models of this run share."""
        return self.here[0].run


def compare_all(
    there: Sequence[str], new: Sequence[str], other: Path, revision: tuple[str, str], params: Params
) -> Overview:
    """Compares this run with the one whose files lie in `other`, in which `new` models have no answers.

    `revision` is what the other run was asked for as, and its commit.
    """
    against, commit = revision
    here_details = {model: read_details(DETAILS_DIRECTORY / f"{model}.json") for model in params.models}
    there_details, unreadable = readable_details(there, other)
    explained = causes(Path(), other, list(params.models))
    questions = [{one.id: content(one) for one in QUESTIONS.iterate(root)} for root in (Path(), other)]
    same = {key for key, asked in questions[0].items() if questions[1].get(key) == asked}
    counts = {model: count_answers(model, other, same, explained) for model in there}
    before = next(iter(there_details.values())).run if there_details else None
    findings, not_comparable = None, unreadable
    if not unreadable:
        try:
            findings = compare_runs(candidates(there, params.baseline), new, other, against, params.gate)
        except NotComparableError as error:
            not_comparable = f"{error.found}; {error.remedy}"
    return Overview(
        against=against,
        commit=commit,
        here=list(here_details.values()),
        questions=len(questions[0]),
        questions_there=len(questions[1]),
        same_questions=len(same),
        models=[
            model_change(model, here_details[model], there_details.get(model), counts, explained, len(same))
            for model in there
        ],
        new=[model_change(model, here_details[model], None, {}, explained, len(same)) for model in new],
        gone=[model for model in (before.models if before else ()) if model not in params.models],
        causes=explained,
        findings=findings,
        not_comparable=not_comparable,
        kinds=other_kinds(next(iter(there_details.values()), None), next(iter(here_details.values()))),
        means={
            (model, name): (there_details[model].criteria[name].mean, one.mean)
            for model in there_details
            for name, one in here_details[model].criteria.items()
            if name in there_details[model].criteria
        },
    )


def other_kinds(there: Details | None, here: Details) -> tuple[str, str] | None:
    """What the two runs are, that one first, where it is not the same; None too where that one cannot be read."""
    kinds = (kind_of_run(there), kind_of_run(here)) if there else None
    return kinds if kinds and kinds[0] != kinds[1] else None


def kind_of_run(details: Details) -> str:
    """A rehearsal, a demonstration or a real run, with how many questions it asked."""
    kind = "rehearsal" if details.resolved.dummy else RUN_KINDS[details.run.run]
    return f"a {kind} of {details.questions:,} questions"


def candidates(models: Sequence[str], baseline: str) -> list[str]:
    """The models that the gate compares: all but the baseline, or that where it stands alone."""
    return [model for model in models if model != baseline] or list(models)


def readable_details(models: Sequence[str], other: Path) -> tuple[dict[str, Details], str]:
    """The other run's details, and why they cannot be read where another version wrote them."""
    try:
        return {model: read_details(other / DETAILS_DIRECTORY / f"{model}.json") for model in models}, ""
    except UserError:
        return {}, f"that run's details cannot be read; {ANOTHER_VERSION}"


def count_answers(model: str, other: Path, same: set[str], explained: Causes) -> AnswerCounts:
    """Compares a model's answers word for word, over the questions that are the same."""
    here, there = texts_of(model, Path()), texts_of(model, other)
    both = [question for question in here if question in same and question in there]
    changed = sum(here[question] != there[question] for question in both)
    only_here, only_there = (len(one.keys() - set(both)) for one in (here, there))
    why = explained.of_answers(model) if changed else []
    return AnswerCounts(len(both) - changed, changed, only_here, only_there, why)


def texts_of(model: str, root: Path) -> Texts:
    """One model's answers by question."""
    found: Texts = {}
    for row in ANSWERS.iterate(model, root):
        found.setdefault(row.id, []).append(row.answer)
    return found


def model_change(
    model: str, now: Details, before: Details | None, counts: dict[str, AnswerCounts], explained: Causes, same: int
) -> ModelChange:
    """What became of one model, and why where that is another verdict."""
    verdicts = [verdict_words(details) if details else None for details in (before, now)]
    changed = before is not None and verdicts[0] != verdicts[1] and not now.is_baseline
    why = verdict_reasons(now, before, counts, explained, same) if before and changed else []
    gains, means = (
        moved(*(told(one, now.run.claimed, value) if one else None for one in (now, before))) for value in (GAIN, MEAN)
    )
    return ModelChange(model, counts.get(model), verdicts[0], verdicts[1], why, gains, means)


def moved(here: Mapping[str, str] | None, there: Mapping[str, str] | None) -> list[str]:
    """Figures by criterion, there and here: `accuracy +0.78 → +0.52`; only here where there are none there.

    Empty where none moved.
    """
    here = here or {}
    if there is None:
        return [f"{plain_name(name)} {figure}" for name, figure in here.items()]
    both = [name for name in here if name in there]
    if all(here[name] == there[name] for name in both):
        return []
    return [f"{plain_name(name)} {there[name]} \N{RIGHTWARDS ARROW} {here[name]}" for name in both]


def told(details: Details, names: Sequence[str], figure: str) -> dict[str, str]:
    """One figure of a model by criterion, to two decimals, a gain with its sign; without those that it has not."""
    found = {name: getattr(one, figure) for name in names if (one := details.criteria.get(name))}
    return {name: f"{value:{'+' if figure == GAIN else ''}.2f}" for name, value in found.items() if value is not None}


def verdict_words(details: Details) -> str:
    """A model's decision where there is a plan, else its verdict; `baseline` for the baseline itself."""
    if details.verdict is None:
        return "baseline"
    verdict = VERDICT_WORDS[details.verdict]
    return f"{SHIP_WORDS[details.decision.ship]} ({verdict})" if details.decision else verdict


def verdict_reasons(
    now: Details, before: Details, counts: dict[str, AnswerCounts], explained: Causes, same: int
) -> list[str]:
    """All that a verdict rests on and that is not as it was."""
    run, earlier, baseline = now.run, before.run, now.run.baseline
    reasons = []
    if counts[now.model].changed:
        reasons.append(f"its answers to {counts[now.model].changed:,} questions changed")
    if baseline in counts and counts[baseline].changed:
        reasons.append(f"the answers of {plain_name(baseline)} to {counts[baseline].changed:,} questions changed")
    if baseline != earlier.baseline:
        reasons.append(f"the baseline was {plain_name(earlier.baseline)}")
    if run.questions != earlier.questions or same < run.questions:
        reasons.append(f"{run.questions:,} questions, {earlier.questions:,} before, of which {same:,} are the same")
    if comparisons(run) != comparisons(earlier):
        reasons.append(
            f"{comparisons(run)} comparisons share the {run.alpha:.3g} of decision.alpha, {comparisons(earlier)} before"
        )
    reasons += [*explained.touching(SCORES), *explained.touching(VERDICTS)]
    return reasons or ["its scores changed, and nothing that they rest on"]


def comparisons(run: RunDetails) -> int:
    """How many comparisons are one family: those of all models, in each criterion of the claim unless in order."""
    in_order = run.plan is not None and run.plan.in_order
    return (len(run.models) - 1) * (1 if in_order else len(run.claimed))
