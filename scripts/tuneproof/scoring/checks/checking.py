"""Checks a model's answers: one row of scores and reasons for each, on every core where there are many."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.process import BaseProcess

from tuneproof.common.errors import UserError
from tuneproof.records.rows import Answer, Check, Question
from tuneproof.scoring.checks import formats, instructions, own, references, texts
from tuneproof.scoring.checks.corpus import Corpus, counts_of
from tuneproof.scoring.checks.finding import SECONDS_AT_MOST, Finding, TookTooLongError, bounded
from tuneproof.scoring.checks.preparing import prepare
from tuneproof.settings.evidence import check_kinds as kinds
from tuneproof.settings.evidence.checks import AnyCheck, Checks

ANSWERS_AT_ONCE = 200  # that a process is handed
Checked = tuple[list[Check], Corpus]
FEW_ANSWERS = 1_000  # are checked before further processes would have started


@dataclass(frozen=True)
class Case:
    """One answer and its question; a check may take so many seconds of the processor's time."""

    answer: Answer
    question: Question
    seconds: float = SECONDS_AT_MOST

    def check(self, settings: AnyCheck) -> Finding:
        """What one check finds, in bounded time. Raises a UserError where a function of the user's own fails."""
        try:
            with bounded(self.seconds):
                return self.find(settings)
        except TookTooLongError:
            return Finding(None, "it took too long")
        except (RecursionError, MemoryError):
            return Finding(None, "it is nested too deeply or too large")

    def find(self, settings: AnyCheck) -> Finding:
        """The table of contents of all kinds."""
        answer, question = self.answer.answer, self.question
        match settings:
            case kinds.Json():
                return formats.json_document(answer, settings)
            case kinds.Regex():
                return formats.pattern_found(answer, settings)
            case kinds.Contains():
                return formats.texts_present(answer, settings)
            case kinds.Edge():
                return formats.edge(answer, settings)
            case kinds.Plain():
                parses = settings.kind == "python_parses"
                return formats.python_parses(answer) if parses else texts.finish(self.answer.finish_reason)
            case kinds.Length():
                return texts.length(answer, settings)
            case kinds.Language():
                return texts.language(answer, settings)
            case kinds.Repetition():
                return texts.repetition(answer, settings)
            case kinds.Refusal():
                return texts.refusal(answer, settings)
            case kinds.Reference() | kinds.Rouge() | kinds.SacreBleu():
                return references.against_reference(answer, question.reference, settings)
            case kinds.Instructions():
                return instructions.follows_instructions(answer, question.asked, question.checks or (), settings)
            case kinds.OfQuestion():
                return own.own_checks(question.checks or (), self.find)
            case kinds.Function():
                return own.call_function(answer, question.asked, question.reference, question.id, settings)


@dataclass(frozen=True)
class Checking:
    """The checks and the questions of a run."""

    checks: Checks
    questions: Mapping[str, Question]

    def row(self, answer: Answer, corpus: Corpus) -> Check:
        """What all checks say of one answer, nothing where there is none; adds to the figures of all answers."""
        failed, question = answer.finish_reason == "error", self.questions[answer.id].at(answer.turn)
        case, findings = Case(answer, question), dict[str, Finding]()
        for name, settings in self.checks.root.items():
            finding = Finding(None, "there is no answer") if failed else case.check(settings)
            counts = counts_of(settings, answer, question, finding)
            corpus.unscored[name] += finding.value is None
            if counts is not None:
                corpus.add(name, counts)
            findings[name] = finding
        return Check(
            id=answer.id, sample=answer.sample, turn=answer.turn,
            scores={name: found.value for name, found in findings.items()},
            reasons={name: found.reason for name, found in findings.items()},
            status="no_answer" if failed else "ok",
        )  # fmt: skip


def check_answers(checking: Checking, answers: Iterable[Answer], corpus: Corpus) -> Iterator[Check]:
    """A row for every answer, in their order; in several processes where the answers are many.

    `corpus` counts what the figures of all answers need. Raises a UserError where a package is missing, a function of
    the user's own fails, or a process was ended from outside.
    """
    prepare(checking.checks, checking.questions)
    answers = iter(answers)
    first = list(islice(answers, FEW_ANSWERS))
    if len(first) < FEW_ANSWERS or processors() == 1 or not checking.checks.root:
        yield from (checking.row(answer, corpus) for answer in chain(first, answers))
        return
    try:
        with ProcessPoolExecutor(processors(), initializer=begin, initargs=(checking,)) as pool:
            for rows, counted in in_order(pool, batches(chain(first, answers))):
                corpus.merge(counted)
                yield from rows
    except BrokenProcessPool:
        remedy = "run again, with fewer programs beside it"
        raise UserError("check", "one of its processes was ended, perhaps for want of memory", remedy) from None


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batches(answers: Iterator[Answer]) -> Iterator[list[Answer]]:
    """The answers in lists for one process each."""
    while batch := list(islice(answers, ANSWERS_AT_ONCE)):
        yield batch


def in_order(pool: ProcessPoolExecutor, work: Iterator[list[Answer]]) -> Iterator[Checked]:
    """The rows of every batch, in order; few batches are under way at once, whatever there is to do."""
    under_way = deque[Future[Checked]]()
    for batch in work:
        under_way.append(pool.submit(check_batch, batch))
        if len(under_way) > 2 * processors():
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


_checking: Checking  # of this process, which `begin` sets


def begin(checking: Checking) -> None:
    """Begins a process's work, and ends it with the stage, however that ends."""
    global _checking
    _checking = checking
    prepare(checking.checks, checking.questions)  # where processes are forked it is done already
    parent = multiprocessing.parent_process()
    if parent:
        threading.Thread(target=end_with, args=(parent,), daemon=True).start()


def end_with(parent: BaseProcess) -> None:
    """Waits for the stage's end, even a violent one, and then ends this process."""
    parent.join()
    os._exit(1)


def check_batch(answers: list[Answer]) -> Checked:
    """One batch, in a process that has begun."""
    corpus = Corpus()
    return [_checking.row(answer, corpus) for answer in answers], corpus
