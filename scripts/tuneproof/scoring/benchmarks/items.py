"""The items of a task as rows: their numbers as the harness counts them, and their texts as a person reads them."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from tuneproof.records.rows import Benchmark
from tuneproof.scoring.benchmarks.likelihoods import BITS_PER_BYTE
from tuneproof.scoring.benchmarks.tasks import Asked, measure

LARGEST_EXPONENT = 34.0  # a score has at most 15 digits
ID_DIGITS = 16  # of a document's hash
PER_UNIT: dict[str, Callable[[float], float]] = {  # metrics of rolling tasks, out of the mean log-likelihood of a unit
    "word_perplexity": lambda mean: math.exp(min(-mean, LARGEST_EXPONENT)),
    "byte_perplexity": lambda mean: math.exp(min(-mean, LARGEST_EXPONENT)),
    BITS_PER_BYTE: lambda mean: -mean / math.log(2),
}


@contextmanager
def templates_compiled_once() -> Iterator[None]:
    """Has the harness keep its tasks' templates meanwhile. It compiles them for every item: most of what rows cost."""
    from lm_eval.utils import env

    compiled_anew = env.from_string
    env.from_string = cache(compiled_anew)
    try:
        yield
    finally:
        env.from_string = compiled_anew


def rows_of(asked: Asked, samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Benchmark]:
    """A row for every item, with the numbers of every metric and filter."""
    for name, part in asked.parts.items():
        scores: dict[int, dict[str, float | None]] = {}
        for sample in samples[name]:
            numbers = numbers_of(sample)
            if asked.turned and (number := numbers.get(measure(asked.metric, asked.filter))) is not None:
                numbers[asked.measure] = -number
            scores.setdefault(sample["doc_id"], {}).update(numbers)
        seen = Counter[str]()
        for sample in samples[name]:
            if sample["filter"] != asked.filter:
                continue
            identity = str(sample["doc_hash"])[:ID_DIGITS]
            seen[identity] += 1
            target, response = shown_answers(part, sample, by_length=asked.metric == "acc_norm")
            yield Benchmark(
                id=identity if seen[identity] == 1 else f"{identity}-{seen[identity]}",
                criterion=asked.name, task=name, task_version=str(part.VERSION),
                scores=scores[sample["doc_id"]], question=shown_question(part, sample),
                target=target, response=response,
            )  # fmt: skip


def numbers_of(sample: Mapping[str, Any]) -> dict[str, float | None]:
    """An item's metrics that are numbers, with their filter; what only a whole task has is left out."""
    found: dict[str, float | None] = {}
    for name in sample["metrics"]:
        value = sample[name]
        if name in PER_UNIT and isinstance(value, tuple):  # the log-likelihood of an item, and its units
            value = PER_UNIT[name](value[0] / value[1])
        if isinstance(value, bool | int | float) or type(value).__module__ == "numpy":
            number = float(value) if getattr(value, "size", 1) == 1 else math.nan
            found[measure(name, sample["filter"])] = number if math.isfinite(number) else None
    return found


def shown_question(part: Any, sample: Mapping[str, Any]) -> str:
    """An item as a person reads it, without the solved examples before it: of a choice of beginnings, all of these."""
    if part.OUTPUT_TYPE == "multiple_choice" and part.multiple_input:
        return "\n".join(f"{choice} {sample['target']}" for choice in part.doc_to_choice(sample["doc"]))
    text = part.doc_to_text(sample["doc"])
    return text if isinstance(text, str) else str(sample["arguments"][0][0])


def shown_answers(part: Any, sample: Mapping[str, Any], by_length: bool) -> tuple[str, str]:
    """What was wanted and what the model said: of a choice between texts, the texts.

    `by_length`: the likeliest by character is what the metric takes for the choice.
    """
    target = sample["target"]
    if part.OUTPUT_TYPE != "multiple_choice":
        return plain_text(target), said(sample)
    given = [str(arguments[-1]) for arguments in sample["arguments"]]
    if part.multiple_input:
        target = part.doc_to_text(sample["doc"])
    delimiter = str(part.config.target_delimiter or "")
    likelihoods = [
        response[0][0] / (len(text.removeprefix(delimiter)) if by_length else 1)
        for response, text in zip(sample["resps"], given, strict=True)
    ]
    texts = [text.strip() for text in (part.doc_to_choice(sample["doc"]) if part.multiple_input else given)]
    if len(set(texts)) == 1:  # the choice is in the context, and the same text follows all of them
        texts = [str(place) for place in range(len(likelihoods))]
    best = max(range(len(likelihoods)), key=likelihoods.__getitem__)
    wanted = texts[target] if isinstance(target, int) and 0 <= target < len(texts) else plain_text(target)
    return wanted, texts[best]


def plain_text(value: Any) -> str:
    """A target as text; several, each on a line."""
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def said(sample: Mapping[str, Any]) -> str:
    """What a model generated for an item, the first time where it was asked several times."""
    first = sample["resps"][0][0] if sample["resps"] and sample["resps"][0] else ""
    return first if isinstance(first, str) else ""
