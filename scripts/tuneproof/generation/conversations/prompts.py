"""The words that models are shown: the two prompt formats. Pure functions; nothing here loads a model."""

# The two formats of Stanford Alpaca (github.com/tatsu-lab/stanford_alpaca, train.py), without and with an input. The
# first case's models were fine-tuned on the former.
ALPACA_PREAMBLE = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request."
)
ALPACA_PREAMBLE_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request."
)


def alpaca_prompt(instruction: str, system: str | None = None, text: str | None = None) -> str:
    """An instruction in the Alpaca format, with its input `text` where there is one.

    A system prompt stands before it, so that the trained format stays whole.

    >>> print(alpaca_prompt("Name a colour."))
    Below is an instruction that describes a task. Write a response that appropriately completes the request.
    <BLANKLINE>
    ### Instruction:
    Name a colour.
    <BLANKLINE>
    ### Response:
    <BLANKLINE>
    """
    before = f"{system}\n\n" if system else ""
    preamble = ALPACA_PREAMBLE if text is None else ALPACA_PREAMBLE_WITH_INPUT
    given = "" if text is None else f"\n\n### Input:\n{text}"
    return f"{before}{preamble}\n\n### Instruction:\n{instruction}{given}\n\n### Response:\n"


def chat_messages(instruction: str, system: str | None = None) -> list[dict[str, str]]:
    """An instruction as the messages of a chat, for a model's own template or an endpoint."""
    messages = [{"role": "system", "content": system}] if system else []
    return [*messages, {"role": "user", "content": instruction}]
