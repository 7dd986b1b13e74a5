"""How well a model predicts texts, in bits per byte of them, so that models with other tokenizers compare.

Less is better, and decisions take more for better: what counts is the negative, and its name begins with a minus. The
unit is that of lm-eval's `bits_per_byte` and of Gao et al. 2020 (The Pile, https://arxiv.org/abs/2101.00027, 3.1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuneproof.common.errors import UserError, say
from tuneproof.records.documents.benchmark_summary import TaskSummary
from tuneproof.records.rows import Benchmark
from tuneproof.scoring.benchmarks.asking import RecordedModel
from tuneproof.settings.evidence.benchmarks import REFERENCE_LIKELIHOOD

VERSION = "1"
BITS_PER_BYTE = "bits_per_byte"
MINUS = "-"


@dataclass(frozen=True)
class Reference:
    """A question's reference answer, and the tokens of the prompt and of the answer as the model has them."""

    id: str
    question: str
    text: str
    prompt: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(frozen=True)
class Instance:
    """A request in the harness's form."""

    args: tuple[Any, ...]
    task_name: str = REFERENCE_LIKELIHOOD


def bits_per_byte(log_likelihood: float, text: str) -> float:
    """The bits that a byte of a text takes under a model. Raises a ZeroDivisionError for an empty text.

    >>> bits_per_byte(-8 * math.log(2), "four")
    2.0
    """
    return -log_likelihood / (len(text.encode()) * math.log(2))


def instances(references: Sequence[Reference]) -> list[Instance]:
    """What is asked of references."""
    return [Instance((one.prompt, one.answer)) for one in references]


def reference_likelihood(
    name: str, references: Sequence[Reference], model: RecordedModel, limit: int | None
) -> tuple[list[Benchmark], TaskSummary]:
    """How well a model predicts each reference after its prompt; a row for each, and their mean.

    Raises a UserError where no question has a reference.
    """
    where, asked = f"benchmark.tasks.{name}", references[:limit]
    if not asked:
        raise UserError(where, "no question has a reference answer", "set questions.reference_column, or leave it out")
    say(f"{model.where}: {name} says how well the references are predicted, which is no measure of helpfulness")
    responses = model.loglikelihood_tokens(instances(asked))
    rows = []
    for one, (likelihood, _) in zip(asked, responses, strict=True):
        bits = bits_per_byte(likelihood, one.text)
        rows.append(
            Benchmark(
                id=one.id, criterion=name, task=REFERENCE_LIKELIHOOD, task_version=VERSION,
                scores={BITS_PER_BYTE: bits, MINUS + BITS_PER_BYTE: -bits},
                question=one.question, target=one.text, response="",
            )
        )  # fmt: skip
    return rows, summary_of(name, rows)


def summary_of(name: str, rows: Sequence[Benchmark]) -> TaskSummary:
    """The mean of the rows, each counting alike, and its standard error."""
    scores = [row.scores[MINUS + BITS_PER_BYTE] or 0.0 for row in rows]
    mean = math.fsum(scores) / len(scores)
    squares = math.fsum((score - mean) ** 2 for score in scores)
    error = math.sqrt(squares / (len(scores) - 1) / len(scores)) if len(scores) > 1 else None
    return TaskSummary(
        task=REFERENCE_LIKELIHOOD,
        metric=MINUS + BITS_PER_BYTE,
        mean=mean,
        standard_error=error,
        items=len(rows),
        weights="items",
        versions={REFERENCE_LIKELIHOOD: VERSION},
        num_fewshot={REFERENCE_LIKELIHOOD: 0},
    )
