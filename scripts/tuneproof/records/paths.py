"""Where stages hand on what they made, relative to the project's root."""

from pathlib import Path

QUESTIONS_FILE = Path("data/questions.jsonl")


RESOLVED_DIRECTORY = Path("data/resolved")


ANSWERS_DIRECTORY = Path("data/answers")


ENGINES_DIRECTORY = Path("data/engines")


JUDGEMENTS_DIRECTORY = Path("data/judgements")


COMPARISONS_DIRECTORY = Path("data/comparisons")


DETAILS_DIRECTORY = Path("data/details")


METRICS_DIRECTORY = Path("metrics")


REPORT_DIRECTORY = Path("report")
