"""A finished run made up of whole cloth: questions, answers, judgements and comparisons of any size.

Run     PYTHONPATH=scripts:. python tests/made_up/run.py <folder> [questions]
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.running import run_here
from tuneproof.common.files import write_json, write_text
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary
from tuneproof.records.documents.resolved import ResolvedJudge, ResolvedModel, ResolvedQuestions
from tuneproof.records.files import record_text, write_rows
from tuneproof.records.handovers import (
    ANSWERS,
    BENCHMARKS,
    CHECKS,
    COMPARISONS,
    ENGINES_DIRECTORY,
    JUDGEMENTS,
    QUESTIONS,
    RESOLVED_DIRECTORY,
    benchmark_summary,
)
from tuneproof.records.keys import content_key
from tuneproof.records.rows import Answer, Check, Comparison, Judgement, Question, Reply, ReplyStatus, World
from tuneproof.settings.worlds import EMBEDDED_CHECKS

SENTENCES = (
    "A tokenizer splits text into pieces that the model has seen before.",
    "Lower the learning rate first, and look at the loss only after a few hundred steps.",
    "That is cheap to try: one configuration line, one short run, one number to compare.",
    "Attention lets every position read from every earlier one, at a price that grows with the square of the length.",
    "In practice you would cache the keys and values, so that each new token costs about the same.",
    "It depends on the data: ten thousand clean examples beat a million noisy ones.",
    "The reward model is only as good as the preferences it was trained on.",
    "Retrieval helps most when the answer stands in one document and the question names it.",
    "Measure before you optimise; the slow part is rarely the one you suspect.",
    "Quantisation trades a little accuracy for a lot of memory, and often that is a fair trade.",
)
SUBJECTS = ("tokenization", "attention", "quantisation", "retrieval", "preference tuning", "evaluation", "batching")
ASKED = (
    "Explain {} to a colleague who has never trained a model.",
    "What goes wrong most often with {} in production?",
    "Write a short post about {} and when it is worth the trouble.",
    "When would you avoid {}?",
)
ANALYSES = (
    "The central claim is right and the example fits, though one important gap remains.",
    "Direct and easy to read; a practitioner would finish it.",
    "Stiff in places, and the second half repeats the first.",
    "It answers a neighbouring question and leaves the one that was asked open.",
)
NO_BENCHMARKS = BenchmarkSummary(harness="", tasks={}, left_out="the harness is not installed")


@dataclass(frozen=True)
class Shape:
    """What a made-up run looks like. `hostile` texts stand wherever datasets, models and judges may write."""

    questions: int = 40
    models: tuple[str, ...] = ("sft", "dpo", "baseline")
    criteria: dict[str, tuple[float, ...]] = field(default_factory=lambda: {"accuracy": (1, 2, 3), "style": (1, 2, 3)})
    samples: int = 1
    sentences: int = 8  # of an average answer
    run: World = "real"
    compare: bool = True
    unusable: float = 0.02  # share of answers without a score
    hostile: tuple[str, ...] = ()
    seed: int = 7


class Author:
    """Writes everything that a dataset, the models and the judge would have written."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.random = random.Random(shape.seed)

    def text(self, otherwise: str) -> str:
        """A hostile text where there are any, else the plain one."""
        return self.random.choice(self.shape.hostile) if self.shape.hostile else otherwise

    def prose(self, sentences: int) -> str:
        """So many sentences in paragraphs."""
        chosen = [self.random.choice(SENTENCES) for _ in range(max(sentences, 1))]
        return "\n\n".join(" ".join(chosen[start : start + 4]) for start in range(0, len(chosen), 4))

    def question(self, number: int) -> Question:
        """One question; every seventh has no reference."""
        subject = self.random.choice(SUBJECTS)
        return Question(
            id=f"{self.text('')[:60]}{number:05d}" if self.shape.hostile else content_key(number)[:12],
            instruction=self.text(self.random.choice(ASKED).format(subject)),
            reference=None if number % 7 == 6 else self.text(self.prose(3)),
            tags={"subject": self.text(subject), "source": self.random.choice(("blog", "handbook"))},
        )

    def answer(self, question: Question, sample: int, model: str) -> Answer:
        """An answer; one in a hundred ran into the token limit, one in three hundred failed."""
        length = round(self.random.lognormvariate(0, 0.5) * self.shape.sentences)
        text, chance = self.text(self.prose(length)), self.random.random()
        failed = chance < self.shape.unusable / 6
        return Answer(
            id=question.id, sample=sample, prompt=question.instruction, answer="" if failed else text,
            finish_reason="error" if failed else "length" if chance > 0.99 else "stop",
            error=self.text("the prompt has 4,100 tokens and the model takes 4,096") if failed else None,
            prompt_tokens=60, answer_tokens=None if failed else len(text) // 4,
            key=content_key([question.id, sample, model]),
        )  # fmt: skip

    def reply(self, status: ReplyStatus, scores: dict[str, int | float] | None, *key: object) -> Reply:
        """A judge's reply."""
        ok = status == "ok"
        named = self.text("gpt-4o-mini-2024-07-18")
        return Reply(
            judge="gpt-4o-mini", model=named, attempt=1, status=status, scores=scores if ok else None,
            probabilities=None, reply=None if ok else self.text("I would rather not grade this."),
            analyses={name: self.text(self.random.choice(ANALYSES)) for name in scores} if scores else None,
            error=None if ok else self.text("it is not JSON"), prompt_tokens=600, reply_tokens=120,
            key=content_key(key),
        )  # fmt: skip

    def judgement(self, answer: Answer, quality: float) -> Judgement:
        """A judgement, with scores drawn around a quality between 0 and 1."""
        if not answer.answer.strip():
            return Judgement(
                id=answer.id, sample=answer.sample, status="no_answer", scores=None, analyses=None,
                answer_cut=False, replies=[],
            )  # fmt: skip
        unusable = self.random.random() < self.shape.unusable
        status: ReplyStatus = self.random.choice(("refused", "truncated", "unreadable")) if unusable else "ok"
        scores = None if unusable else {name: self.score(steps, quality) for name, steps in self.shape.criteria.items()}
        reply = self.reply(status, scores, answer.key)
        return Judgement(
            id=answer.id, sample=answer.sample, status=status, scores=scores, analyses=reply.analyses,
            answer_cut=answer.finish_reason == "length", replies=[reply],
        )  # fmt: skip

    def score(self, steps: Sequence[float], quality: float) -> float:
        """One step of a scale."""
        drawn = min(max(self.random.gauss(quality, 0.3), 0), 0.999)
        return steps[int(drawn * len(steps))]

    def comparisons(self, answer: Answer, against: str, edge: float) -> Iterator[Comparison]:
        """Both orders of one pair; the one shown first has a small advantage."""
        opinion = self.random.gauss(edge, 0.4)
        for order in ("model_first", "baseline_first"):
            lean = self.random.gauss(opinion + (0.1 if order == "model_first" else -0.1), 0.1)
            preference = 0.5 if abs(lean) < 0.08 else float(lean > 0)
            refused = self.random.random() < self.shape.unusable
            score = 3 - 2 * preference if order == "model_first" else 1 + 2 * preference
            reply = self.reply("refused" if refused else "ok", {"preference": score}, answer.key, order)
            empty = not answer.answer.strip()
            yield Comparison(
                id=answer.id, sample=answer.sample, against=against, order=order,
                status="no_answer" if empty else reply.status,
                preference=None if empty or refused else preference, replies=[] if empty else [reply],
            )  # fmt: skip


def settings(shape: Shape) -> dict[str, Any]:
    """The params.yaml of the run."""
    return {
        "dummy": shape.run == "dummy",
        "embedded": shape.run == "embedded",
        "baseline": shape.models[-1],
        "questions": {"dataset": "organisation/questions", "tag_columns": ["subject", "source"]},
        "models": {model: {"id": f"organisation/{model}-8b", "prompt": "alpaca"} for model in shape.models},
        "generate": {"sampling": {"samples": shape.samples}},
        "judge": {
            "criteria": {
                name: {
                    "question": f"How good is the answer in {name}?",
                    "scale": {step: f"Step {step} of {name}." for step in steps},
                }
                for name, steps in shape.criteria.items()
            },
        },
        "compare": {"enabled": shape.compare, "criteria": "Prefer the better answer."},
        "execution": {"judge": {"prices": {"gpt-4o-mini": {"prompt": 0.15, "reply": 0.6}}}},
    }


def write_run(directory: Path, shape: Shape) -> None:
    """Writes everything that the stages before aggregate write."""
    author = Author(shape)
    write_text(directory / "params.yaml", yaml.safe_dump(settings(shape), sort_keys=False))
    questions = [author.question(number) for number in range(shape.questions)]
    write_rows(directory / QUESTIONS.path, questions)
    write_resolved(directory, author, len(questions))
    difficulty = [author.random.gauss(0.55, 0.15) for _ in questions]
    for place, model in enumerate(shape.models):
        edge = 0.12 * (len(shape.models) - 1 - place) / max(len(shape.models) - 1, 1)
        answers, judgements = list[Answer](), list[Judgement]()
        comparisons = list[Comparison]()
        for question, quality in zip(questions, difficulty, strict=True):
            for sample in range(shape.samples):
                answers.append(author.answer(question, sample, model))
                judgements.append(author.judgement(answers[-1], quality + edge))
                if shape.compare and model != shape.models[-1]:
                    comparisons += author.comparisons(answers[-1], shape.models[-1], edge)
        write_rows(directory / ANSWERS.path(model), answers)
        write_rows(directory / JUDGEMENTS.path(model), judgements)
        write_rows(directory / COMPARISONS.path(model), comparisons)
        write_rows(directory / CHECKS.path(model), map(checked, answers))
        write_rows(directory / BENCHMARKS.path(model), [])
        write_text(directory / benchmark_summary(model).path, record_text(NO_BENCHMARKS))
        write_json(
            directory / ENGINES_DIRECTORY / f"{model}.json",
            [{"engine": "vllm", "version": author.text("0.32.0"), "device": author.text("cpu"), "dtype": "bfloat16"}],
        )


def checked(answer: Answer) -> Check:
    """What the embedded world's checks say of an answer; other runs have none of these criteria."""
    scores: dict[str, float | None] = dict.fromkeys(EMBEDDED_CHECKS.ranges, 1.0)
    return Check(id=answer.id, sample=answer.sample, status="ok", scores=scores, reasons={})


def write_resolved(directory: Path, author: Author, rows: int) -> None:
    """Writes what validate would have found."""
    shape, resolved = author.shape, directory / RESOLVED_DIRECTORY
    judges = [{"model": "gpt-4o-mini", "endpoint": "openai"}]
    backend = "embedded" if shape.run == "embedded" else "openai"
    write_text(resolved / "judge.json", record_text(ResolvedJudge(run=shape.run, backend=backend, judges=judges)))
    source = ResolvedQuestions(
        run=shape.run, requested="organisation/questions", id=author.text("organisation/questions"),
        sha=content_key("questions")[:40], content=content_key("questions"),
        fallback_reason=author.text("") or None, rows=rows, rows_sha256=content_key(rows),
    )  # fmt: skip
    write_text(resolved / "questions.json", record_text(source))
    for model in shape.models:
        record = ResolvedModel(
            model=model, run=shape.run, dummy=shape.run == "dummy", embedded=shape.run == "embedded", engine="vllm",
            prompt="alpaca", requested=f"organisation/{model}-8b", id=author.text(f"organisation/{model}-8b"),
            sha=content_key(model)[:40], content=content_key([model]), fallback_reason=author.text("") or None,
        )  # fmt: skip
        write_text(resolved / f"{model}.json", record_text(record))


def finished(directory: Path, shape: Shape, change: Callable[[Path], None] | None = None) -> Path:
    """A run up to its report; `change` is applied before aggregate. Returns the report's path."""
    write_run(directory, shape)
    if change:
        change(directory)
    for script in ("aggregate.py", "report.py"):
        done = run_here(directory, script)
        assert done.returncode == 0, f"{script}: {done.stderr}"
    return directory / "report/index.html"


if __name__ == "__main__":
    print(finished(Path(sys.argv[1]), Shape(questions=int(sys.argv[2]) if len(sys.argv) > 2 else 40)))
