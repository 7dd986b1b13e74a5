"""What stages hand on: where it lies, what its rows are, and which script writes it, as one fact each.

Paths are relative to the project's root; `root` names another one, such as the copy of a revision.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from tuneproof.common.errors import UserError
from tuneproof.records.documents.admission import AdmissionResult, GoldenAnswer
from tuneproof.records.documents.agreement import Agreement, AnswerLabels
from tuneproof.records.documents.benchmark_summary import BenchmarkSummary
from tuneproof.records.documents.resolved import (
    ResolvedEvaluator,
    ResolvedJudge,
    ResolvedModel,
    ResolvedPlan,
    ResolvedQuestions,
)
from tuneproof.records.files import AnyRecord, iterate_rows, read_record, write_rows
from tuneproof.records.rows import Answer, Benchmark, Check, Comparison, Judgement, Label, Question

HERE = Path()


@dataclass(frozen=True)
class RowFile(Generic[AnyRecord]):
    """One file of rows. Reading raises a UserError that names the broken line, or the script to run first."""

    path: Path
    kind: type[AnyRecord]
    written_by: str

    def iterate(self, root: Path = HERE) -> Iterator[AnyRecord]:
        """The rows, one at a time."""
        return iterate_rows(root / self.path, self.kind, made_by=self.written_by)

    def read(self, root: Path = HERE) -> list[AnyRecord]:
        """All rows."""
        return list(self.iterate(root))

    def write(self, rows: Iterable[AnyRecord]) -> None:
        """Writes the rows whole or not at all, holding one at a time."""
        write_rows(self.path, rows)


@dataclass(frozen=True)
class Handover(Generic[AnyRecord]):
    """A file of rows for each model, named by its key."""

    directory: Path
    kind: type[AnyRecord]
    written_by: str

    def of(self, model: str) -> RowFile[AnyRecord]:
        """A model's file."""
        return RowFile(self.directory / f"{model}.jsonl", self.kind, f"{self.written_by} {model}")

    def path(self, model: str) -> Path:
        """Where a model's file lies."""
        return self.of(model).path

    def iterate(self, model: str, root: Path = HERE) -> Iterator[AnyRecord]:
        """A model's rows, one at a time."""
        return self.of(model).iterate(root)

    def read(self, model: str, root: Path = HERE) -> list[AnyRecord]:
        """All rows of a model."""
        return self.of(model).read(root)


@dataclass(frozen=True)
class Document(Generic[AnyRecord]):
    """One JSON document. Reading raises a UserError where it is missing or broken."""

    path: Path
    kind: type[AnyRecord]
    written_by: str = "validate.py"

    def read(self, root: Path = HERE) -> AnyRecord:
        """What it holds."""
        return read_record(root / self.path, self.kind, made_by=self.written_by)


QUESTIONS = RowFile(Path("data/questions.jsonl"), Question, written_by="validate.py")
RESOLVED_DIRECTORY = Path("data/resolved")
JUDGE = Document(RESOLVED_DIRECTORY / "judge.json", ResolvedJudge)
QUESTION_SOURCE = Document(RESOLVED_DIRECTORY / "questions.json", ResolvedQuestions)
EVALUATOR = Document(RESOLVED_DIRECTORY / "evaluator.json", ResolvedEvaluator)
PLAN = Document(RESOLVED_DIRECTORY / "plan.json", ResolvedPlan)
ANSWERS = Handover(Path("data/answers"), Answer, written_by="generate.py")
ENGINES_DIRECTORY = Path("data/engines")
JUDGEMENTS = Handover(Path("data/judgements"), Judgement, written_by="judge.py")
COMPARISONS = Handover(Path("data/comparisons"), Comparison, written_by="compare.py")
CHECKS = Handover(Path("data/checks"), Check, written_by="check.py")
BENCHMARKS = Handover(Path("data/benchmarks"), Benchmark, written_by="benchmark.py")
LABELS = Handover(Path("data/labels"), Label, written_by="annotate.py --rater")  # by rater; in Git, no out of DVC
AGREEMENT = Document(Path("data/agreement.json"), Agreement, written_by="agree.py")
LABELLED_DIRECTORY = Path("data/labelled")  # a folder, as below: DVC warns of a file without rows time and again
LABELLED = RowFile(LABELLED_DIRECTORY / "answers.jsonl", AnswerLabels, written_by="agree.py")
EVALUATORS_DIRECTORY = Path("data/evaluator")
GOLDEN = RowFile(RESOLVED_DIRECTORY / "golden" / "answers.jsonl", GoldenAnswer, written_by="validate.py")
ADMISSION = Document(Path("data/admission.json"), AdmissionResult, written_by="admit.py")
ADMISSION_DIRECTORY = Path("data/admission")
ADMISSION_ANSWERS = RowFile(ADMISSION_DIRECTORY / "golden.jsonl", GoldenAnswer, written_by="admit.py")
ADMISSION_JUDGEMENTS = RowFile(ADMISSION_DIRECTORY / "judgements.jsonl", Judgement, written_by="admit.py")
ADMISSION_COMPARISONS = RowFile(ADMISSION_DIRECTORY / "comparisons.jsonl", Comparison, written_by="admit.py")
DETAILS_DIRECTORY = Path("data/details")
METRICS_DIRECTORY = Path("metrics")
REPORT_DIRECTORY = Path("report")


def benchmark_summary(model: str) -> Document[BenchmarkSummary]:
    """What the harness said of a model, beside its rows."""
    return Document(BENCHMARKS.path(model).with_suffix(".json"), BenchmarkSummary, f"benchmark.py {model}")


def resolved_model(model: str) -> ResolvedModel:
    """What validate made of a model. Raises a UserError when it was not validated."""
    return Document(RESOLVED_DIRECTORY / f"{model}.json", ResolvedModel).read()


def earlier_plans(key: str) -> list[str]:
    """The plans that decided before the one with this key; none where validate has seen no plan."""
    if not PLAN.path.is_file():
        return []
    seen = PLAN.read()
    return [*(one for one in seen.earlier if one != key), *([seen.key] if seen.key != key else [])]


def raters(root: Path = HERE) -> list[str]:
    """Who has labels."""
    return sorted(path.stem for path in (root / LABELS.directory).glob("*.jsonl"))


def read_labels(instructions: str, root: Path = HERE) -> list[Label]:
    """What people said with these instructions (`People.instructions`), or with ones that are not known.

    Of each rater the last label of each key, without those that were skipped. Raises a UserError for a broken line.
    """
    found: dict[tuple[str, str], Label] = {}
    for rater in raters(root):
        try:
            for label in LABELS.iterate(rater, root):
                if label.instructions in (None, instructions):
                    found[label.rater, label.key] = label
        except UserError as broken:
            raise UserError(broken.where, broken.found, "correct the line, or restore the file from Git") from None
    return [label for label in found.values() if label.rated]
