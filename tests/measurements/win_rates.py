"""Recorded AlpacaEval annotations run through the project's win rates, beside what the leaderboards recorded.

Reads   a clone of github.com/tatsu-lab/alpaca_eval: results/<model>/<annotator>/annotations.json, and its leaderboards
Run     PYTHONPATH=scripts python -m tests.measurements.win_rates <clone>
"""

import argparse
import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path

from tuneproof.statistics.win_rates import WinRate, win_rate

LEADERBOARDS = {  # annotator: the folder of its leaderboard
    "weighted_alpaca_eval_gpt4_turbo": "data_AlpacaEval_2",
    "alpaca_eval_gpt4_turbo_fn": "data_AlpacaEval_2",
    "alpaca_eval_gpt4": "data_AlpacaEval",
}
LARGEST_DIFFERENCE = 1e-6  # in per cent; older rows are recorded with so many digits


def main() -> None:
    """Compares every recorded file with its row, and names those that differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path, help="the folder of the clone")
    clone = parser.parse_args().clone
    for annotator, folder in LEADERBOARDS.items():
        path = clone / "src/alpaca_eval/leaderboards" / folder / f"{annotator}_leaderboard.csv"
        with path.open(encoding="utf-8") as file:
            recorded = {row[""]: row for row in csv.DictReader(file) if row["standard_error"]}
        compared = [(model, rate, recorded[model]) for model, rate in annotated(clone, annotator) if model in recorded]
        agreeing = [one for one in compared if differences(one[1], one[2]) == []]
        print(f"{annotator}: {len(agreeing)} of {len(compared)} files give the recorded numbers")
        for model, rate, row in compared:
            for difference in differences(rate, row):
                print(f"  {model}: {difference}")


def annotated(clone: Path, annotator: str) -> Iterator[tuple[str, WinRate]]:
    """Every model with annotations by this annotator, and its win rate."""
    for path in sorted(clone.glob(f"results/*/{annotator}/annotations.json")):
        annotations = json.loads(path.read_text(encoding="utf-8"))
        yield path.parts[-3], win_rate(preference(one["preference"]) for one in annotations)


def preference(recorded: float | None) -> float | None:
    """A preference as it is recorded (1 the baseline, 2 the model, 0 or 1.5 a tie) on our scale from 0 to 1."""
    if recorded is None or math.isnan(recorded):
        return None
    return 0.5 if recorded == 0 else recorded - 1


def differences(rate: WinRate, row: dict[str, str]) -> list[str]:
    """What differs from the recorded row, in words."""
    ours = {"win_rate": 100 * rate.win_rate, "standard_error": 100 * (rate.standard_error or 0), "n_total": rate.n}
    return [
        f"{name} {value:.6f}, recorded {row[name]}"
        for name, value in ours.items()
        if abs(value - float(row[name])) > LARGEST_DIFFERENCE
    ]


if __name__ == "__main__":
    main()
