"""A model's run as a log of Inspect, which its viewer opens (https://inspect.aisi.org.uk/eval-logs.html).

The form is EvalLog's JSON, version 2, as inspect_ai 0.3.285 reads it; nothing of it is needed to write one.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from tuneproof.records.keys import content_key
from tuneproof.records.rows import Answer, Check, Judgement, Question
from tuneproof.results.details.model import Details

VERSION = 2
TASK = "tuneproof"
STOP_REASONS = {"stop": "stop", "length": "max_tokens", "error": "unknown"}
Place = tuple[str, int, int | None]  # of an answer: question, sample, turn


def inspect_log(
    details: Details,
    questions: Iterable[Question],
    answers: Iterable[Answer],
    judgements: Iterable[Judgement],
    checks: Iterable[Check],
    made_at: datetime,
) -> dict[str, Any]:
    """One model's run: a sample for each answer, with the scores that it has and never one that it has not."""
    judged = {(row.id, row.sample, row.turn): row for row in judgements}
    checked = {(row.id, row.sample, row.turn): row for row in checks}
    asked = {question.id: question for question in questions}
    samples = list(samples_of(details, asked, list(answers), judged, checked))
    when, identity = made_at.isoformat(timespec="seconds"), content_key([details.model, samples])[:22]
    run = details.run
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "eval_id": identity, "run_id": identity, "task_id": identity, "created": when,
            "task": TASK, "task_display_name": f"Tuneproof: {details.model}",
            "model": f"{TASK}/{details.model}", "tags": [run.run],
            "dataset": {
                "name": run.source.id, "location": run.source.requested, "samples": run.questions,
                "sample_ids": list(asked), "shuffled": False,
            },
            "config": {"epochs": details.samples},
            "metadata": {
                "weights": details.resolved.id, "sha": details.resolved.sha, "baseline": run.baseline,
                "judges": [judge["model"] for judge in run.judge.judges], "verdict": details.verdict,
                "ship": details.decision.ship if details.decision else None,
            },
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": len(samples), "completed_samples": len(samples),
            "scores": list(results_of(details, samples)),
        },
        "stats": {"started_at": when, "completed_at": when, "model_usage": {}},
        "samples": samples,
    }  # fmt: skip


def file_name(log: Mapping[str, Any]) -> str:
    """The name by which Inspect lists a log: `<when>_<task>_<id>.json`."""
    when = str(log["eval"]["created"]).replace(":", "-")
    return f"{when}_{TASK}_{log['eval']['task_id']}.json"


def results_of(details: Details, samples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The mean of every criterion that an answer has a score in, with its interval and the gain over the baseline."""
    for name, one in details.criteria.items():
        scored = sum(name in sample["scores"] for sample in samples)
        if not scored or one.mean is None:
            continue
        figures = {"mean": one.mean, "low": one.low, "high": one.high, "gain": one.gain}
        yield {
            "name": name, "scorer": name, "params": {},
            "scored_samples": scored, "unscored_samples": len(samples) - scored,
            "metrics": {
                metric: {"name": metric, "value": value, "params": {}}
                for metric, value in figures.items() if value is not None
            },
        }  # fmt: skip


def samples_of(
    details: Details,
    asked: Mapping[str, Question],
    answers: list[Answer],
    judged: Mapping[Place, Judgement],
    checked: Mapping[Place, Check],
) -> Iterator[dict[str, Any]]:
    """Every answer as a sample; of a conversation each turn is one, after the model's own answers before it."""
    said = {(row.id, row.sample, row.turn): row.answer for row in answers}
    for row in answers:
        question, place = asked[row.id], (row.id, row.sample, row.turn)
        judgement = judged.get(place)
        messages = list(messages_before(question, row, said))
        reply = {"role": "assistant", "content": row.answer, "source": "generate"}
        usage = {"input_tokens": row.prompt_tokens or 0, "output_tokens": row.answer_tokens or 0}
        yield {
            "id": row.id if row.turn is None else f"{row.id} turn {row.turn + 1}",
            "epoch": row.sample + 1,
            "input": messages if len(messages) > 1 else messages[0]["content"],
            "target": question.at(row.turn).reference or "",
            "messages": [*messages, reply],
            "output": {
                "model": details.model,
                "choices": [{"message": reply, "stop_reason": STOP_REASONS[row.finish_reason]}],
                "completion": row.answer,
                "usage": usage | {"total_tokens": sum(usage.values())},
                "error": row.error,
            },
            "scores": dict(scores_of(row, judgement, checked.get(place))),
            "metadata": {
                **question.tags,
                "status": judgement.status if judgement else "not judged",
                "reasons": [reply.error for reply in judgement.replies if reply.error] if judgement else [],
            },
        }


def messages_before(question: Question, row: Answer, said: Mapping[Place, str]) -> Iterator[dict[str, str]]:
    """What the model was shown before it gave an answer, and last what it was asked."""
    for message in question.history or ():
        yield {"role": message.role, "content": message.content}
    for turn, text in enumerate(question.all_turns[: (row.turn or 0) + 1]):
        if turn:
            yield {"role": "assistant", "content": said.get((row.id, row.sample, turn - 1), "")}
        yield {"role": "user", "content": text}


def scores_of(row: Answer, judgement: Judgement | None, check: Check | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The scores of an answer by criterion, with the judges' analyses or the checks' reasons."""
    for name, score in ((judgement.scores if judgement else None) or {}).items():
        replies = judgement.replies if judgement else []
        analyses = [(reply.analyses or {}).get(name) for reply in replies if reply.scores is not None]
        yield name, {"value": score, "answer": row.answer, "explanation": "\n\n".join(filter(None, analyses))}
    for name, value in (check.scores if check else {}).items():
        if value is not None and check:
            yield name, {"value": value, "answer": row.answer, "explanation": check.reasons.get(name, "")}
