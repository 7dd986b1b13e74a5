"""Labels as people would have given them."""

from typing import Any

from tuneproof.records.rows import Label


def label(**values: Any) -> Label:
    """One label; `values` take the place of what stands here."""
    plain: dict[str, Any] = {
        "key": "0" * 64, "id": "q1", "kind": "answer", "scores": {"accuracy": 2}, "preference": None, "note": None,
        "rater": "anna", "drawn": "random", "seconds": 8.5, "round": 1, "instructions": "now",
    }  # fmt: skip
    return Label.model_validate(plain | values)
