"""What the models' datasets are called: each by its model's own name, with its key where another model has that one.

Whose a dataset is stands in its card on the Hub, so that a name which was published stays, whatever model joins and
whichever clone publishes.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, say
from tuneproof.records.documents.resolved import ResolvedModel
from tuneproof.results.publishing.card import place, shown_id
from tuneproof.results.publishing.repositories import Owner, There, repository_name

PUBLISHED_FILE = Path("data/published.json")
Look = Callable[[str], There | None]


def dataset_names(models: Mapping[str, ResolvedModel], workspace: str, look: Look) -> dict[str, str]:
    """The dataset of each model; `look` gives what lies on the Hub under a name.

    Raises a UserError where two models would share a dataset.
    """
    looked, names = cache(look), dict[str, str]()
    for one in models.values():
        plain, with_key = repositories(one, workspace)
        alike = [other for other in models.values() if repositories(other, workspace)[0].lower() == plain.lower()]
        names[one.model] = plain if holder(alike, workspace, looked) == one.model else with_key
        if names[one.model] == with_key and not looked(with_key):
            say(f"publish: {plain} is another model's; {one.model} becomes {with_key}")
    if len({name.lower() for name in names.values()}) < len(names):  # the Hub's names differ in more than case
        found = f"two models would share a dataset: {', '.join(names.values())}"
        raise UserError("publish", found, "rename a model's key")
    return names


def repositories(resolved: ResolvedModel, workspace: str) -> tuple[str, str]:
    """A model's dataset by its own name, and with its key."""
    name = Path(owner(resolved).id).name
    return f"{workspace}/{repository_name(name)}", f"{workspace}/{repository_name(f'{name}-{resolved.model}')}"


def owner(resolved: ResolvedModel) -> Owner:
    """Whose results these are, as cards say it; a model whose answers were recorded elsewhere is called by its key."""
    if resolved.engine == "recorded":
        return Owner(key=resolved.model, id=resolved.model)
    return Owner(key=resolved.model, id=shown_id(resolved.adapter.id if resolved.adapter else resolved.id))


def holder(alike: Sequence[ResolvedModel], workspace: str, look: Look) -> str | None:
    """Which of the models that share a name has it without a key; None where a model has it that is not among them."""
    plain = dict.fromkeys(repositories(one, workspace)[0] for one in alike)
    there = next((found for name in plain if (found := look(name))), None)
    if there and there.owner:
        same_key = [one.model for one in alike if one.model == there.owner.key]
        return next(iter([*same_key, *(one.model for one in alike if owner(one).id == there.owner.id)]), None)
    return next(claimants(alike, workspace, look, there), None)


def claimants(alike: Sequence[ResolvedModel], workspace: str, look: Look, there: There | None) -> Iterator[str]:
    """Who may have a name of which no card says whose it is, the surest first: what this clone published last.

    Then whom an older version's card is about, and else the first in params.yaml that has no dataset with its key.
    """
    last = {one.model: published_name(one.model) for one in alike}
    yield from (one.model for one in alike if last[one.model] == repositories(one, workspace)[0])
    without = [one for one in alike if not is_results(look(repositories(one, workspace)[1]))]
    yield from (one.model for one in without if there and place(owner(one).id, None) in there.card)
    yield from (one.model for one in without)


def is_results(there: There | None) -> bool:
    """Whether a dataset is on the Hub and was published from here."""
    return there is not None and there.mark is not None


def published_name(key: str) -> str | None:
    """The dataset that a model was published as last from this clone, None where it was not."""
    try:
        document: dict[str, Any] = json.loads(PUBLISHED_FILE.read_bytes())
        return str(document[key]["dataset"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
