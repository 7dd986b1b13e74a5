"""What names a result in the ledger, or a label: the SHA-256 of the one JSON text of everything that determines it."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII; raises ValueError on NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256_hex(text: str) -> str:
    """The SHA-256 of a text in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def content_key(value: Any) -> str:
    """The ledger key of everything that determines a result: SHA-256 of its canonical JSON."""
    return sha256_hex(canonical_json(value))


def answer_label_key(
    question: str, reference: str | None, answer: str, rubric: object, history: Sequence[Any] = ()
) -> str:
    """The key of what a person says of an answer, whichever model wrote it.

    Takes the whole question as it is asked, the reference, the answer without its thinking, the rubric as plain data
    (`rubric_of`), and the turns before the question.
    """
    return _label_key("answer", question, reference, [answer], rubric, history)


def pair_label_key(
    question: str, reference: str | None, answer: str, other: str, criteria: str, history: Sequence[Any] = ()
) -> str:
    """The key of what a person prefers of two answers: a preference of 1 is one for the first.

    The same two the other way round have another key, and the preference is turned around (`scoring/people`).
    """
    return _label_key("pair", question, reference, [answer, other], criteria, history)


def _label_key(
    kind: str, question: str, reference: str | None, answers: list[str], rubric: object, history: Sequence[Any]
) -> str:
    return content_key(
        {
            "kind": kind, "history": list(history), "question": question, "reference": reference, "answers": answers,
            "rubric": rubric,
        }
    )  # fmt: skip
