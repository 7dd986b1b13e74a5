"""Puts a model's details together from its scores, what it was compared with, and what validate made of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.records.documents.benchmark_summary import TaskSummary
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.records.handovers import ENGINES_DIRECTORY, RESOLVED_DIRECTORY, resolved_model
from tuneproof.results.analysis.benchmarks import Measured, add_benchmarks
from tuneproof.results.analysis.collapses import Falls, collapse_details, falls
from tuneproof.results.analysis.criteria import Groups, Scored, criterion_details, groups, paired
from tuneproof.results.analysis.decisions import claims, claims_by_people, decision_details, shown
from tuneproof.results.analysis.exploring.changes import changes, losses, models_before, outcomes
from tuneproof.results.analysis.exploring.equal_length import equal_length
from tuneproof.results.analysis.exploring.pairs import Pairs, pairs
from tuneproof.results.analysis.exploring.slices import kinds_by_chance, over_finished, slices, turn_slices
from tuneproof.results.analysis.people import (
    InPeopleUnits,
    both_verdicts,
    in_people_units,
    is_rated,
    verdict_by_people,
    win_rate_with_people,
    with_people,
)
from tuneproof.results.analysis.preferences import add_preferences, all_preferences, all_win_rates, orders_of_run
from tuneproof.results.analysis.reading.scores import ModelScores
from tuneproof.results.analysis.reading.usage import answer_lengths, usage
from tuneproof.results.analysis.withholding import withheld
from tuneproof.results.details.changes import Losses
from tuneproof.results.details.criteria import CriterionDetails
from tuneproof.results.details.decisions import DecisionDetails
from tuneproof.results.details.model import Details, WinRateDetails
from tuneproof.results.details.run import RunDetails
from tuneproof.settings.evidence.decision import WIN_RATE
from tuneproof.settings.execution import Price
from tuneproof.settings.params import Params
from tuneproof.statistics.differences import Difference, Overall, overall_verdict
from tuneproof.statistics.distributions import Array
from tuneproof.statistics.equal_length import ratios
from tuneproof.statistics.intervals import wilson_interval
from tuneproof.statistics.shipping import Key


def all_details(
    params: Params,
    run: RunDetails,
    scores: Mapping[str, ModelScores],
    ids: Mapping[str, int],
    tags: Sequence[Mapping[str, str]],
    benchmarks: Mapping[str, Measured],
) -> list[Details]:
    """Every model's details, in the order of params.yaml.

    Args:
        params: The settings of the world that runs.
        run: What the models share.
        scores: Every model's scores.
        ids: Every question's id with its place.
        tags: The questions' tags, in the same order.
        benchmarks: Every model's benchmarks; empty where there are none.
    """
    scored = {model: Scored.of(one, len(ids)) for model, one in scores.items()}
    # First: it adds the comparisons' replies to the usage.
    compared = all_preferences(run, scores, ids, params.compare.enabled)
    run = run.model_copy(update={"orders": orders_of_run(one.orders for one in compared.values())})
    if WIN_RATE in run.criteria:
        add_preferences(run, scored, compared)
    win_rates = all_win_rates(run, scored, compared)
    add_benchmarks(scored, benchmarks)
    differences, of_groups = paired(run, scored), groups(scored[run.baseline])
    tested = claims(run, differences, of_groups)
    preferences = {model: one.preferences for model, one in compared.items()}
    people = in_people_units(run, scored, preferences, ids)
    by_people = claims_by_people(run, differences, of_groups, people)
    run = run.model_copy(update={"sharing": sharing(run, by_people if run.in_units_of == "people" else tested)})
    analysis = Analysis(
        run=run,
        ids=list(ids),
        tags=tags,
        scores=scores,
        scored=scored,
        differences=differences,
        groups=of_groups,
        tested=tested,
        compared=tested | shown(run, differences, of_groups, tested),
        people=people,
        by_people=by_people,
        win_rates=win_rates,
        pairs=pairs(run, scored),
        preferences=preferences,
        prices=params.execution.judge.prices,
        benchmarks={model: one.said for model, one in benchmarks.items()},
    )
    return [rounded(withheld(analysis.details(model, one))) for model, one in scores.items()]


@dataclass(frozen=True)
class Analysis:
    """What is known of all models at once."""

    run: RunDetails
    ids: Sequence[str]
    tags: Sequence[Mapping[str, str]]
    scores: Mapping[str, ModelScores]
    scored: dict[str, Scored]
    differences: dict[Key, Array]
    groups: Groups
    tested: dict[Key, Difference]  # as part of the claim
    compared: dict[Key, Difference]  # all of them
    people: InPeopleUnits
    by_people: dict[Key, Difference]  # the claim in people's units
    win_rates: dict[str, WinRateDetails | None]
    pairs: Pairs
    preferences: dict[str, Array]
    prices: dict[str, Price]
    benchmarks: dict[str, dict[str, TaskSummary]]

    def details(self, model: str, scores: ModelScores) -> Details:
        """One model's details."""
        run, scored, baseline = self.run, self.scored[model], self.scored[self.run.baseline]
        criteria = {name: self.criterion(model, name, scores, scored, baseline) for name in run.criteria}
        fallen, is_baseline = self.falls(model, run.claimed), model == run.baseline
        lost = None if is_baseline else losses(run, scored, baseline, self.ids, self.preferences.get(model))
        by_judge, rate = self.verdict_by_judge(model), self.win_rates.get(model)
        by_people = verdict_by_people(run, model, self.by_people, self.people)
        overall = by_people if run.in_units_of == "people" else by_judge
        answers, ok = scores.statuses.total(), scores.statuses["ok"]
        low, high = wilson_interval(ok, answers, run.alpha)
        return Details(
            model=model,
            run=run,
            resolved=resolved_in_this_world(model, run),
            engines=read_engines(model),
            judge_models=sorted(scores.usage.models),
            questions=run.questions,
            samples=scores.samples,
            answers=answers,
            scored=ok,
            coverage=ok / answers,
            coverage_low=low,
            coverage_high=high,
            statuses=dict(sorted(scores.statuses.items())),
            finish_reasons=dict(sorted(scores.finish_reasons.items())),
            answers_cut=scores.cut,
            verdict=None if is_baseline else overall,
            criteria=criteria,
            statuses_of={source: dict(sorted(counts.items())) for source, counts in scores.statuses_of.items()},
            collapses=collapse_details(fallen, run.alpha),
            decision=None if is_baseline else self.decision(model, fallen),
            win_rate=win_rate_with_people(run, model, rate, self.people) if rate else None,
            slices=slices(run, self.tags, scored, baseline) + turn_slices(run, scores, self.scores[run.baseline]),
            kinds_by_chance=kinds_by_chance(run, self.tags, scored, baseline),
            finished=over_finished(run, scored, baseline, self.scores[run.baseline].finished),
            lengths=answer_lengths(scores.characters, scores.answer_tokens),
            usage=usage(scores.prompt_tokens, scores.answer_tokens, scores.usage, self.prices),
            people=both_verdicts(run, model, by_judge, by_people, self.people),
            panel=scores.panel,
            worsened=lost.worsened if lost else 0,
            losses=lost.worst if lost else [],
            lost_to=self.lost_to_the_one_before(model),
            against=self.pairs.get(model, {}),
            outcomes=outcomes(run, model, self.scored),
            benchmarks=self.benchmarks.get(model, {}),
        )

    def verdict_by_judge(self, model: str) -> Overall:
        """The verdict on one model's claim by the scores as they are."""
        run = self.run
        tested = [difference for name in run.claimed if (difference := self.tested.get((model, name)))]
        paired = [self.compared.get((model, name)) for name in run.claimed]
        least = min((one.questions if one else 0 for one in paired), default=0)
        return overall_verdict([one.verdict for one in tested], least, run.min_questions)

    def decision(self, model: str, fallen: Falls | None) -> DecisionDetails | None:
        """Whether one model ships, by the scores that the plan rests on."""
        if self.run.in_units_of == "people":
            return decision_details(self.run, model, self.by_people, self.differences, self.groups, fallen, self.people)
        return decision_details(self.run, model, self.tested, self.differences, self.groups, fallen, None)

    def criterion(
        self, model: str, name: str, scores: ModelScores, scored: Scored, baseline: Scored
    ) -> CriterionDetails:
        """One model on one criterion."""
        run, key = self.run, (model, name)
        difference, tested = self.compared.get(key), key in self.tested
        if run.in_units_of == "people" and not is_rated(run, name):
            difference, tested = self.by_people.get(key, difference), key in self.by_people
        fallen = collapse_details(self.falls(model, [name]), run.alpha)
        details = criterion_details(
            run, name, scores, scored, baseline, difference, tested or difference is None, fallen
        )
        if key in self.differences:
            lengths, apart = ratios(scored.characters, baseline.characters), self.differences[key]
            explored = {
                "changes": changes(apart, run.criteria[name].counts_from),
                "equal_length": equal_length(run, name, apart, lengths),
            }
            details = details.model_copy(update=explored)
        return with_people(run, key, details, self.by_people.get(key), self.people)

    def lost_to_the_one_before(self, model: str) -> dict[str, Losses]:
        """What one model lost to the model named before it, which is no baseline; nothing where there is none."""
        before = models_before(self.run, model)[-1:]
        return {other: losses(self.run, self.scored[model], self.scored[other], self.ids) for other in before}

    def falls(self, model: str, names: Sequence[str]) -> Falls | None:
        """On which questions a model falls on any of these criteria; None for the baseline."""
        if model == self.run.baseline:
            return None
        baseline = self.scores[self.run.baseline]
        return falls(self.scores[model], baseline, self.run.criteria, names, self.run.questions)


def sharing(run: RunDetails, tested: Mapping[Key, Difference]) -> int:
    """How many comparisons share alpha: all that are claimed, or the models where each tests its criteria in order."""
    in_order = run.plan is not None and run.plan.in_order
    return max(len({model for model, _ in tested} if in_order else tested), 1)


def resolved_in_this_world(model: str, run: RunDetails) -> ResolvedModel:
    """What validate made of a model. Raises a UserError when that belongs to another world than the judge."""
    resolved = resolved_model(model)
    if resolved.run != run.run:
        found = f"this model was validated for the {resolved.run} run, and the judge for the {run.run} run"
        raise UserError(f"{RESOLVED_DIRECTORY / model}.json", found, "run `dvc repro`")
    return resolved


def read_engines(model: str) -> list[dict[str, Any]]:
    """The side record of generate; nothing where there is none."""
    path = ENGINES_DIRECTORY / f"{model}.json"
    try:
        engines = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValueError:
        raise UserError(str(path), "this is not JSON", f"run `python scripts/generate.py {model}` again") from None
    if not isinstance(engines, list) or not all(isinstance(engine, dict) for engine in engines):
        raise UserError(str(path), "this is no list of engines", f"run `python scripts/generate.py {model}` again")
    return engines


def rounded(details: Details) -> Details:
    """Numbers to six significant digits: the last bits differ between machines, and no sign is lost by it."""

    def six_digits(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.6g}")
        if isinstance(value, dict):
            return {key: six_digits(one) for key, one in value.items()}
        return [six_digits(one) for one in value] if isinstance(value, list) else value

    return Details.model_validate(six_digits(details.model_dump()))
