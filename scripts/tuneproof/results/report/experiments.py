"""Lists the experiments of this commit, one on a line: what each changed, and what came of it for every model.

Reads   params.yaml, metrics/ and report/plots/win_rates.csv of every experiment, which Git keeps
Run     PYTHONPATH=scripts python -m tuneproof.results.report.experiments   (or: make experiments)
"""

import argparse
import csv
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, run
from tuneproof.results.plots import PLOTS_DIRECTORY
from tuneproof.results.words.decisions import SHIP_WORDS
from tuneproof.results.words.figures import NOTHING, plain_name, share_text
from tuneproof.results.words.tables import aligned
from tuneproof.results.words.verdicts import VERDICT_WORDS
from tuneproof.settings.reading import PARAMS_FILE, parse_settings

MOST_CHANGES = 3  # that are named of one experiment
LONGEST_VALUE = 30
ABSENT = object()


@dataclass(frozen=True)
class Commit:
    """A commit or experiment of the project, read from Git alone: no cache or remote is asked."""

    name: str
    revision: str

    def text(self, path: Path) -> str | None:
        """A file's text; None where the commit has no such file."""
        shown = subprocess.run(
            ["git", "show", f"{self.revision}:./{path.as_posix()}"], capture_output=True, check=False
        )
        return shown.stdout.decode("utf-8", "replace") if shown.returncode == 0 else None

    def settings(self) -> dict[str, Any]:
        """Every setting by its dotted name."""
        return dict(flat(parse_settings(self.text(PARAMS_FILE) or "{}")))

    def metrics(self, model: str) -> dict[str, Any]:
        """One model's scores; none where the commit has no run of it."""
        return dict(json.loads(self.text(Path("metrics") / f"{model}.json") or "{}"))

    def win_rates(self) -> dict[str, float]:
        """Every model's share of pairs won against the baseline."""
        rows = csv.DictReader((self.text(PLOTS_DIRECTORY / "win_rates.csv") or "").splitlines())
        return {row["model"]: float(row["rate"]) for row in rows if row.get("kind") == "win rate"}


def main() -> None:
    """Prints a line for the commit itself and one for each of its experiments."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    head, experiments = experiments_here()
    print("\n".join(aligned(*experiments_table(head, experiments))))
    if not experiments:
        print("\nno experiments of this commit; `dvc exp run -S <setting>=<value>` makes one")


def experiments_here() -> tuple[Commit, list[Commit]]:
    """The commit that is checked out, and the experiments that were made from it, as DVC lists them.

    Raises a UserError where this is no DVC project with a commit.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import RevError

    try:
        with Repo() as repo:
            head = repo.scm.get_rev()
            listed = repo.experiments.ls(rev=head)
    except (DvcException, RevError) as error:
        found = " ".join(str(error).split())[:200] or "there is no commit here"
        raise UserError("experiments", found, "run this in the project's root, and commit it first") from None
    return Commit(head[:7], head), [Commit(name, revision) for name, revision in listed.get(head, []) if revision]


def experiments_table(head: Commit, experiments: list[Commit]) -> tuple[list[str], list[list[str]]]:
    """The header and a row for every commit; a column for each model but the baseline."""
    before = head.settings()
    models = [name.split(".")[1] for name in before if name.startswith("models.")]
    models = [model for model in dict.fromkeys(models) if model != before.get("baseline")]
    rows = [[head.name, "this commit", *outcomes(head, models)]]
    rows += [[one.name, changes(before, one.settings()), *outcomes(one, models)] for one in experiments]
    return ["experiment", "changed", *models], rows


def outcomes(commit: Commit, models: list[str]) -> list[str]:
    """Each model's gains, win rate and decision in a few words."""
    rates = commit.win_rates()
    return [outcome(commit.metrics(model), rates.get(model)) for model in models]


def outcome(metrics: Mapping[str, Any], win_rate: float | None) -> str:
    """One model's: `accuracy +0.82, style +0.14, wins 74%: ship`."""
    if not metrics:
        return NOTHING
    gains = [f"{plain_name(name)} {gain:+.2f}" for name, gain in metrics.get("gain", {}).items() if gain is not None]
    wins = [f"wins {share_text(win_rate)}"] if win_rate is not None else []
    said = SHIP_WORDS.get(metrics.get("ship", "")) or VERDICT_WORDS.get(metrics.get("verdict", ""), NOTHING)
    return f"{', '.join(gains + wins) or NOTHING}: {said}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Which settings differ, with their new values; the first few, and how many more."""
    names = differing(before, after)
    shown = [f"{plain_name(name)}={value_text(after.get(name, ABSENT))}" for name in names[:MOST_CHANGES]]
    more = [f"{len(names) - MOST_CHANGES} more"] if len(names) > MOST_CHANGES else []
    return ", ".join(shown + more) or "code or data"


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The settings that differ, by dotted name; a section that is empty is one that is left out."""
    values = [{name: value for name, value in one.items() if value != {}} for one in (before, after)]
    names = values[0].keys() | values[1].keys()
    return sorted(name for name in names if values[0].get(name, ABSENT) != values[1].get(name, ABSENT))


def value_text(value: object) -> str:
    """A setting's value as JSON, cut; a hyphen for one that is gone."""
    return NOTHING if value is ABSENT else json.dumps(value, default=str)[:LONGEST_VALUE]


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting of a section by its dotted name; an empty section or a list is a value."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


if __name__ == "__main__":
    run(main)
