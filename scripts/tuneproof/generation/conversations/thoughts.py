"""The thought that a reasoning model writes before its answer, in the forms that are known.

Tags as of DeepSeek-R1, Qwen3, Magistral, Command A and Seed; channels as of gpt-oss, with their marks or, where the
engine leaves special tokens out, without (https://developers.openai.com/cookbook/articles/openai-harmony). A chat
template may open the thought itself, so that the text begins within it.
"""

import re
from typing import Literal

from tuneproof.records.rows import Result

TAGS = (
    ("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)  # fmt: skip
CHANNEL = re.compile(r"\s*(?:<\|start\|>assistant)?<\|channel\|>\w+")
FINAL_CHANNEL = re.compile(r"<\|channel\|>final(?:\s*<\|constrain\|>\w+)?\s*<\|message\|>")
END_OF_CHANNEL = re.compile(r"<\|(?:return|end)\|>\s*\Z")
CHANNELS_WITHOUT_MARKS = re.compile(r"\s*analysis.*?assistantfinal", re.DOTALL)
ONLY_THOUGHT = "it thought and gave no answer; raise generate.sampling.max_tokens if the thought was cut"


def split_thought(text: str, prompt: str = "") -> tuple[str, str]:
    r"""A text's leading thought, tags included, and the answer behind it; "" and the text where there is none.

    A thought that does not end is all of the text. `prompt` shows whether it was opened there.

    >>> split_thought("<think>Two and two.</think>Four.")
    ('<think>Two and two.</think>', 'Four.')
    >>> split_thought("Two and two.</think>\n\nFour.", prompt="<|assistant|><think>\n")
    ('Two and two.</think>\n\n', 'Four.')
    >>> split_thought("<think>Two and")
    ('<think>Two and', '')
    >>> split_thought("Write <think> before a thought and </think> after it.")
    ('', 'Write <think> before a thought and </think> after it.')
    >>> split_thought("analysisTwo and two.assistantfinalFour.")
    ('analysisTwo and two.assistantfinal', 'Four.')
    """
    begun = text.lstrip()
    for opening, closing in TAGS:
        if begun.startswith(opening) or prompt.rstrip().endswith(opening):
            return cut(text, text.find(closing), len(closing))
        if closing not in text:
            continue
        # The template of a served model opens the thought unseen, so that its end comes alone. A text that only speaks
        # of the tag does not have it on a line of its own.
        end = re.search(rf"^\s*{re.escape(closing)}\s*$", text, re.MULTILINE)
        if end and opening not in text[: end.start()]:
            return cut(text, text.find(closing, end.start()), len(closing))
    if CHANNEL.match(text):
        final = FINAL_CHANNEL.search(text)
        thought, answer = (text[: final.end()], text[final.end() :]) if final else (text, "")
        return thought, END_OF_CHANNEL.sub("", answer)
    unmarked = CHANNELS_WITHOUT_MARKS.match(text)
    return (unmarked[0], text[unmarked.end() :]) if unmarked else ("", text)


def cut(text: str, end: int, length: int) -> tuple[str, str]:
    """A text cut behind its thought's end and the white space that follows; all of it is thought without an end."""
    if end < 0:
        return text, ""
    answer = text[end + length :].lstrip()
    return text[: len(text) - len(answer)], answer


def shown(result: Result, prompt: str, thinking: Literal["keep", "strip"]) -> Result:
    """A result as it stands in its row: without its thought where that is to be stripped, which is kept beside it.

    A colleague's row may come without its thought; where that is to be kept, it is put back.
    """
    whole = put_back(result, prompt)
    if thinking == "keep" or whole.finish_reason == "error":
        return whole
    thought, answer = split_thought(whole.answer, prompt)
    if not thought:
        return whole
    if answer.strip():
        return whole.model_copy(update={"answer": answer, "thinking": thought})
    return whole.model_copy(update={"answer": "", "thinking": thought, "finish_reason": "error", "error": ONLY_THOUGHT})


def told_later(result: Result, prompt: str) -> tuple[str, str] | None:
    """The thought, without its tags, and the answer as later turns are told of them, whatever `thinking` is set to.

    None where there is no answer to go on from.
    """
    whole = put_back(result, prompt)
    thought, answer = split_thought(whole.answer, prompt)
    if whole.finish_reason == "error" or (thought and not answer.strip()):
        return None
    return without_tags(thought) or whole.thinking or "", answer


def without_tags(thought: str) -> str:
    """A thought without what opens and closes it."""
    text = thought.strip()
    for opening, closing in TAGS:
        text = text.removeprefix(opening).removesuffix(closing)
    return text.strip()


def put_back(result: Result, prompt: str) -> Result:
    """A result with the thought in its answer, where the row holds what was cut off it; as it is otherwise."""
    thought = result.thinking or ""
    if not thought or split_thought(thought + result.answer, prompt)[0] != thought:
        return result
    only = {"finish_reason": "length", "error": None} if result.error == ONLY_THOUGHT else {}
    return result.model_copy(update={"answer": thought + result.answer, "thinking": None, **only})
