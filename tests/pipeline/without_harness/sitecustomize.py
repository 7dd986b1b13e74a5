"""Hides the benchmarks' harness from the processes of a test, as where its extra is not installed."""

import sys

sys.modules["lm_eval"] = None  # type: ignore[assignment]  # what Python itself takes for "cannot be imported"
