"""Puts `data/agreement.json` together: whose ratings, on which criteria, and what is missing."""

from collections.abc import Mapping, Sequence

from tuneproof.records.documents.agreement import Agreement, CriterionAgreement, OrderAgreement, Source
from tuneproof.records.rows import Label, World
from tuneproof.scoring.people.agreeing import Rated, criterion_agreement, order_agreement, pair_agreement
from tuneproof.scoring.people.gathering import Gathered, random_labels, read_orders
from tuneproof.settings.params import Params

ALPHA = 0.05  # of the intervals of agreement, which decide nothing


def agreement(
    run: World, params: Params, labels: Sequence[Label], gathered: Gathered, graded: Mapping[str, Sequence[Rated]]
) -> Agreement:
    """Everything that the ratings say.

    Args:
        run: The world.
        params: Its settings.
        labels: The random labels that hold for its rubric.
        gathered: What they say of this run's answers.
        graded: By criterion, graded answers to speak of where there are no labels; empty outside the embedded world.
    """
    rated = gathered.criteria or graded
    raters = {rater for answers in [*rated.values(), gathered.pairs] for one in answers for rater in one.ratings}
    return Agreement(
        run=run,
        source=source(gathered, graded),
        raters=sorted(raters),
        rated=max((len(answers) for answers in rated.values()), default=0),
        questions=len({one.question for answers in rated.values() for one in answers}),
        criteria=criteria(params, rated),
        pairs=pair_agreement(gathered.pairs, ALPHA),
        orders=orders(params),
        labels=random_labels(labels, gathered, list(params.models)),
    )


def source(gathered: Gathered, graded: Mapping[str, Sequence[Rated]]) -> Source | None:
    """Whose ratings speak."""
    if gathered.criteria or gathered.pairs:
        return "labels"
    return "graded" if graded else None


def criteria(params: Params, rated: Mapping[str, Sequence[Rated]]) -> dict[str, CriterionAgreement]:
    """Agreement on each of the judge's criteria that anybody rated."""
    steps = {name: [float(step) for step in one.scale] for name, one in params.judge.criteria.items()}
    return {name: criterion_agreement(rated[name], steps[name], ALPHA) for name in steps if rated.get(name)}


def orders(params: Params) -> dict[str, OrderAgreement]:
    """The judge with itself over both orders, by model that was compared."""
    if not params.compare.enabled:
        return {}
    compared = [model for model in params.models if model != params.baseline]
    found = {model: order_agreement(read_orders(model), ALPHA) for model in compared}
    return {model: one for model, one in found.items() if one is not None}
