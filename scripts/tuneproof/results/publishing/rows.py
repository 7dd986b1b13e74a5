"""The rows of a published dataset: everything that the stages know of an answer, typed so that anyone can load it."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.records.rows import Answer, Benchmark, Check, Judgement, Question

SPLIT = "test"
ROWS_PER_FILE = 5_000  # a cut upload goes on with the file that it was cut in
# `answers` and `evaluation` are what the datasets of the LLM Engineer's Handbook call these columns.
COLUMNS = {
    "id": "the question's id",
    "sample": "which of several answers to the question",
    "instruction": "the question",
    "reference": "the reference answer",
    "tags": "the question's tags, as JSON",
    "prompt": "what the model was given",
    "answers": "the model's answer",
    "finish_reason": "`stop`, `length` (cut at the limit) or `error`",
    "error": "why there is no answer",
    "prompt_tokens": "length of the prompt",
    "answer_tokens": "length of the answer",
    "status": "`ok`, `refused`, `truncated`, `unreadable` (of the judge's reply) or `no_answer`",
    "answer_cut": "whether the judge saw only the start of a very long answer",
    "evaluation": "the judge's analysis and score by criterion, as JSON; null unless the status is `ok`",
    "replies": "every reply of the judge, as JSON",
    "key": "the hash of everything that determines the answer",
}
BENCHMARKS = "benchmarks"  # the configuration of the dataset that holds them
BENCHMARK_COLUMNS = {
    "criterion": "the benchmark's name in this project",
    "task": "the harness's task",
    "task_version": "its version",
    "id": "the hash of the item",
    "question": "the item as a person reads it, without the solved examples before it",
    "target": "what was wanted",
    "response": "what the model said or chose",
    "score": "the metric that counts",
    "scores": "all of the harness's metrics, as JSON",
}
COLUMNS_OF_CONVERSATIONS = {
    "turn": "which of the question's turns, from 0; null where it is no conversation",
    "messages": "the conversation up to this answer, as `role` and `content`",
}  # only where there are conversations
WHOLE_NUMBERS = ("sample", "turn", "prompt_tokens", "answer_tokens")

Row = dict[str, Any]
Place = tuple[str, int, int | None]  # an answer's question, sample and turn


def result_rows(
    questions: Iterable[Question],
    answers: Sequence[Answer],
    judgements: Iterable[Judgement],
    criteria: Iterable[str],
    where: str,
    checks: Iterable[Check] = (),
) -> list[Row]:
    """One row per answer, with one column per criterion, the judge's and the checks': its score, or null without one.

    Raises a UserError when the files do not belong together, or a criterion is called like a column.
    """
    names = list(criteria)
    for name in set(names) & set(COLUMNS | COLUMNS_OF_CONVERSATIONS):
        remedy = "rename the criterion in params.yaml"
        raise UserError(where, f"the criterion {name} is called like a column of the dataset", remedy)
    by_id = {question.id: question for question in questions}
    judged = {_place(judgement): judgement for judgement in judgements}
    if {answer.id for answer in answers} - set(by_id) or not _belong_together(answers, set(judged)):
        raise UserError(where, "its answers, judgements and questions do not belong together", "run `dvc repro` first")
    checked = {_place(check): check.scores for check in checks}
    rows = [
        _row(by_id[answer.id], answer, judged.get(_place(answer)), names) | checked.get(_place(answer), {})
        for answer in answers
    ]
    if any(answer.turn is not None for answer in answers):
        said = {_place(answer): answer.answer for answer in answers}
        for row, answer in zip(rows, answers, strict=True):
            row |= {"turn": answer.turn, "messages": _messages(by_id[answer.id], answer, said)}
    return rows


def _place(row: Answer | Judgement | Check) -> Place:
    return row.id, row.sample, row.turn


def _belong_together(answers: Sequence[Answer], judged: set[Place]) -> bool:
    """Whether every answer has a judgement, or of a conversation that was judged as a whole the last one."""
    last = {(answer.id, answer.sample): _place(answer) for answer in answers}
    return judged in ({_place(answer) for answer in answers}, set(last.values()))


def _messages(question: Question, answer: Answer, said: Mapping[Place, str]) -> list[dict[str, str]]:
    """The conversation up to an answer and with it."""
    messages = [message.model_dump() for message in question.history or ()]
    for turn, text in enumerate(question.all_turns[: (answer.turn or 0) + 1]):
        reply = said[answer.id, answer.sample, None if answer.turn is None else turn]
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": reply}]
    return messages


def parquet_files(rows: Sequence[Row], criteria: Iterable[str]) -> dict[str, bytes]:
    """The rows as parquet files by their path in the repository, with the types that `load_dataset` gives back."""
    columns = COLUMNS | (COLUMNS_OF_CONVERSATIONS if rows and "messages" in rows[0] else {})
    whole = [name for name in WHOLE_NUMBERS if name in columns]
    types = dict.fromkeys(columns, "string") | dict.fromkeys(whole, "int64") | {"answer_cut": "bool"}
    for name in criteria:
        types[name] = "int64" if all(_is_whole(row[name]) for row in rows) else "float64"
    return _files("data", rows, types)


def benchmark_rows(rows: Iterable[Benchmark], metrics: Mapping[str, str]) -> list[Row]:
    """One row per item; `metrics` names by criterion the metric that counts."""
    return [
        row.model_dump(include=set(BENCHMARK_COLUMNS))
        | {"score": row.scores.get(metrics[row.criterion]), "scores": _json(row.scores)}
        for row in rows
    ]


def benchmark_files(rows: Sequence[Row]) -> dict[str, bytes]:
    """The rows of benchmarks as parquet files by their path in the repository; none where there are no rows."""
    return _files(BENCHMARKS, rows, dict.fromkeys(BENCHMARK_COLUMNS, "string") | {"score": "float64"}) if rows else {}


def _files(folder: str, rows: Sequence[Row], types: Mapping[str, str]) -> dict[str, bytes]:
    from datasets import Dataset, Features, Value, disable_progress_bars

    disable_progress_bars()  # this takes milliseconds
    features = Features({name: Value(kind) for name, kind in types.items()})
    if "messages" in features:
        features["messages"] = [{"role": Value("string"), "content": Value("string")}]
    starts = range(0, max(len(rows), 1), ROWS_PER_FILE)
    files = {}
    for number, start in enumerate(starts):
        buffer = io.BytesIO()
        part = rows[start : start + ROWS_PER_FILE]
        Dataset.from_dict({name: [row[name] for row in part] for name in types}, features).to_parquet(buffer)
        files[f"{folder}/{SPLIT}-{number:05d}-of-{len(starts):05d}.parquet"] = buffer.getvalue()
    return files


def _row(question: Question, answer: Answer, judgement: Judgement | None, criteria: list[str]) -> Row:
    """A row; without what a judge says where the whole conversation has that, in the row of its last turn."""
    question = question.at(answer.turn)
    scores, analyses = (judgement.scores or {}, judgement.analyses or {}) if judgement else ({}, {})
    evaluation = {name: {"analysis": analyses.get(name), "score": score} for name, score in scores.items()}
    return {
        "id": question.id,
        "sample": answer.sample,
        "instruction": question.asked,
        "reference": question.reference,
        "tags": _json(question.tags),
        "prompt": answer.prompt,
        "answers": answer.answer,
        "finish_reason": answer.finish_reason,
        "error": answer.error,
        "prompt_tokens": answer.prompt_tokens,
        "answer_tokens": answer.answer_tokens,
        "status": judgement.status if judgement else None,
        "answer_cut": judgement.answer_cut if judgement else None,
        "evaluation": _json(evaluation) if judgement and judgement.scores is not None else None,
        "replies": _json([reply.model_dump() for reply in judgement.replies] if judgement else []),
        "key": answer.key,
        **{name: scores.get(name) for name in criteria},
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _is_whole(score: float | None) -> bool:
    return score is None or float(score).is_integer()
