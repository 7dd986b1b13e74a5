"""The settings that tests begin with: their own, whatever a user has made of params.yaml, its ledger and its results.

What has a default in the code stands here at its default; the rest is the first case of the shipped file. A test of the
shipped file itself reads the committed one.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tuneproof.settings.params import Params

ROOT = Path(__file__).parent.parent
OWN: dict[str, Any] = {
    "embedded": False,
    "baseline": "baseline",
    "questions": {"dataset": "mlabonne/llmtwin"},
    "models": {
        "sft": {"id": "mlabonne/TwinLlama-3.1-8B", "prompt": "alpaca"},
        "dpo": {"id": "mlabonne/TwinLlama-3.1-8B-DPO", "prompt": "alpaca"},
        "baseline": {"id": "meta-llama/Llama-3.1-8B-Instruct", "prompt": "chat"},
    },
    "judge": {
        "criteria": {
            "accuracy": {
                "question": "Is the answer factually correct, and does it answer the question that was asked?",
                "scale": {
                    1: "Wrong or useless. The central claim is false, the answer is about something else, or it says "
                    "nothing.",
                    2: "Partly right. The main idea holds, but there is an error, a misleading statement or an "
                    "important gap.",
                    3: "Right. What it says is true and it answers the question; nothing important is missing.",
                },
            },
            "style": {
                "question": "Does the answer read like a good blog post or social media post for practitioners - "
                "simple, direct and lightly technical - rather than formal or academic prose?",
                "scale": {
                    1: "Formal, academic, bureaucratic or padded. A practitioner would stop reading.",
                    2: "Readable but stiff, wordy or flat. Some sentences would have to be rewritten for a blog.",
                    3: "Simple and direct, technical terms only where they help. It could be posted as it stands.",
                },
            },
        },
    },
    "compare": {
        "criteria": "Prefer the answer that is factually correct and answers the question. Between two equally correct "
        "answers prefer the one that is simpler, more direct and easier to read."
    },
    "execution": {
        "judge": {
            "prices": {"gpt-4o-mini": {"prompt": 0.15, "reply": 0.60}, "gpt-4o": {"prompt": 2.50, "reply": 10.00}}
        },
        "sagemaker": {"prices_usd_per_hour": {"ml.g5.2xlarge": 1.515, "ml.g6.2xlarge": 1.222}},
    },
}


def own_params() -> Params:
    """The settings, typed."""
    return Params.model_validate(OWN)


def own_settings() -> dict[str, Any]:
    """Every setting as plain data, defaults written out as DVC wants them."""
    return own_params().model_dump(mode="json") | {"models": {key: dict(model) for key, model in OWN["models"].items()}}


def committed(name: str) -> str:
    """The text of a file as committed last."""
    show = ["git", "show", f"HEAD:{name}"]
    return subprocess.run(show, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def shipped(name: str) -> str:
    """The text of a file as this repository ships it: as committed last. Skips where a user has made it her own."""
    text = committed(name)
    if not all(model["id"] in text for model in OWN["models"].values()):
        pytest.skip(f"the committed {name} is a user's own")
    return text
