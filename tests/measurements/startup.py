"""How long a stage takes to say what it does: the floor is Python itself, started in the same way in the same run.

Run     python tests/measurements/startup.py
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPEATS = 7
TARGET_SECONDS = 0.5


def median_seconds(*command: str) -> float:
    """The median wall-clock time of a command, after one run that warms the caches."""
    taken = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def main() -> None:
    """Prints a line for `import tuneproof` and for every script's --help."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    floor = median_seconds("-c", "pass")
    print(f"{'python alone':<28}{floor:6.2f} s")
    path = "import sys; sys.path.insert(0, 'scripts'); "
    rows = {"import tuneproof": median_seconds("-c", path + "import tuneproof")}
    for script in sorted((ROOT / "scripts").glob("*.py")):
        rows[f"{script.name} --help"] = median_seconds(f"scripts/{script.name}", "--help")
    for name, seconds in rows.items():
        print(f"{name:<28}{seconds:6.2f} s  {seconds / floor:5.1f} x  {'' if seconds < TARGET_SECONDS else 'OVER'}")


if __name__ == "__main__":
    main()
