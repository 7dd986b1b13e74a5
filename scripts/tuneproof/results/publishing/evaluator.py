"""The card of a published evaluator: what it learned from, how far to trust it, what it is licensed as."""

import json
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.common.files import file_sha256
from tuneproof.results.words.tables import markdown_row, markdown_text

MANIFEST = "evaluator.json"
USE = """```python
from tuneproof.scoring.evaluator import load   # of the Tuneproof project

load("<this folder>").score(input="...", output="...", ground_truth="...")
```"""
NO_LICENCE = (
    "No licence is stated here: the labels were given by a judge or by people whose terms apply, and the weights go "
    "back to the base named above, whose licence applies to them. Add one in the repository's settings."
)


def evaluator_files(folder: Path) -> dict[str, bytes]:
    """An evaluator's files. Raises a UserError where it is not whole."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        complete = manifest["scores_with"] in manifest["files"]
        names = [name for name, sha256 in manifest["files"].items() if file_sha256(folder / name) != sha256]
        changed = names if complete else [MANIFEST]
    except (OSError, ValueError, KeyError, AttributeError):
        changed = [MANIFEST]
    if changed:
        remedy = "run `dvc repro` to train it anew"
        raise UserError(str(folder), f"{changed[0]} is missing or not what was trained", remedy)
    return {name: (folder / name).read_bytes() for name in sorted([MANIFEST, *manifest["files"]])}


def evaluator_card(repository: str, files: dict[str, bytes], report: dict[str, Any]) -> str:
    """The card in Markdown with the Hub's front matter; without dates, so that the same evaluator gives the same."""
    manifest = json.loads(files[MANIFEST])
    base, data = manifest["base"], manifest["data"]
    size = sum(map(len, files.values())) / 1e6
    classes = ", ".join(manifest["classes"])
    lines = [
        front_matter(base),
        f"# {markdown_text(repository.partition('/')[2])}",
        f"A small model that learned the criterion **{markdown_text(manifest['criterion'])}** from "
        f"{data['examples']} labelled answers to {data['questions']} questions ({data['from_people']} of the labels "
        "are people's). It gives each answer a probability, a score and a class. Made with Tuneproof.",
        "\n".join(
            [
                f"- sees: {', '.join(manifest['columns'])}",
                f"- classes{'' if manifest['steps'] is None else ', the lowest first'}: {markdown_text(classes)}",
                f"- base: {markdown_text(base['id'])}{' at ' + base['sha'] if base['sha'] else ''}",
                f"- labels: SHA-256 `{data['sha256']}` over all examples, their labels and weights",
                f"- size: {size:.1f} MB; it scores with `{manifest['scores_with']}`; no file is a pickle",
            ]
        ),
        "## On questions that it has not seen",
        figures_table(report),
        "Intervals are 95 %, from a bootstrap of whole questions. *Length only* is a model that knows nothing but an "
        "answer's number of words; *majority* always says the commonest class.",
        "## Limits",
        "It repeats its labels, their mistakes too, and knows answers like those that it learned from. It is no judge "
        "of answers of another kind, and can be misled by an answer that is written to mislead it. Latency depends on "
        "the machine and the length of the texts; measure it where it will run.",
        "## Use",
        USE,
        "## Licence",
        NO_LICENCE,
    ]
    return "\n\n".join(lines) + "\n"


def front_matter(base: dict[str, Any]) -> str:
    """What the Hub reads of a card. A base that is a folder of somebody's machine is not named."""
    lines = ["---", "pipeline_tag: text-classification", "tags: [tuneproof, evaluator]"]
    if base["sha"]:
        lines.append(f"base_model: {json.dumps(base['id'])}")
    return "\n".join([*lines, "---"])


def figures_table(report: dict[str, Any]) -> str:
    """Agreement, discrimination and calibration as a table."""
    rows = [markdown_row(["", "evaluator", "length only", "majority", "people", "uncalibrated"]), "|---" * 6 + "|"]
    for name in ("kappa", "auc", "calibration_error"):
        found = report.get(name, {})
        mine = f"{found['evaluator']:.2f} [{found['low']:.2f}, {found['high']:.2f}]" if "evaluator" in found else "-"
        others = [
            f"{found[key]:.2f}" if key in found else "-"
            for key in ("length_only", "majority", "people", "uncalibrated")
        ]
        rows.append(markdown_row([name.replace("_", " "), mine, *others]))
    return "\n".join(rows)
