"""Benchmark tasks of a user's own: a choice between four words, a text to generate, a group, a Python function."""

import json
import random
from pathlib import Path

WORDS = (
    "river", "mountain", "table", "window", "garden", "bottle", "engine", "market", "letter", "summer", "winter",
    "forest", "bridge", "kitchen", "model", "token", "gradient", "layer", "batch", "loss", "rate", "memory", "cache",
)  # fmt: skip
CHOICE = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: tasks/{name}.jsonl}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.0}}
"""
GENERATION = """task: says
dataset_path: json
dataset_kwargs: {data_files: {test: tasks/says.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "### Instruction:\\n{{question}}\\n\\n### Response:\\n"
doc_to_target: answer
process_results: !function says.scores
generation_kwargs: {until: ["."], max_gen_toks: 12, do_sample: false}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
metadata: {version: 2.0}
"""
# Right is whatever holds the wanted letter: exactly the wanted text a small model would never say.
FUNCTION = """def scores(doc, results):
    return {"exact_match": float(doc["answer"] in results[0])}
"""
GROUP = """group: both
task: [first, second]
aggregate_metric_list:
  - {{metric: acc, weight_by_size: {by_size}}}
metadata: {{version: 3.0}}
"""


def write_choice(root: Path, items: int, name: str = "choice", seed: int = 1) -> None:
    """A task of so many items, each a choice between four words."""
    drawn = random.Random(seed)
    rows: list[dict[str, object]] = []
    for number in range(items):
        choices = drawn.sample(WORDS, 4)
        question = f"Which of the words {' '.join(drawn.sample(choices, 4))} is number {number}?"
        rows.append({"question": question, "choices": choices, "answer": drawn.randrange(4)})
    write_task(root, name, CHOICE.format(name=name), rows)


def write_generation(root: Path, items: int) -> None:
    """A task of so many items that asks for a text, scored by a Python function beside it."""
    drawn = random.Random(2)
    rows: list[dict[str, object]] = [
        {
            "question": f"Say something about {' and '.join(drawn.sample(WORDS, 2))}, number {number}.",
            "answer": drawn.choice("aeiou"),
        }
        for number in range(items)
    ]
    write_task(root, "says", GENERATION, rows)
    (root / "tasks" / "says.py").write_text(FUNCTION)


def write_group(root: Path, first: int, second: int, by_size: bool) -> None:
    """A group of two tasks of different size."""
    write_choice(root, first, "first", seed=3)
    write_choice(root, second, "second", seed=4)
    (root / "tasks" / "both.yaml").write_text(GROUP.format(by_size=str(by_size).lower()))


def write_task(root: Path, name: str, text: str, rows: list[dict[str, object]]) -> None:
    """A task and its items."""
    (root / "tasks").mkdir(exist_ok=True)
    (root / "tasks" / f"{name}.yaml").write_text(text)
    (root / "tasks" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
