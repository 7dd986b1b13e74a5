"""The words that models are shown: the two prompt formats. Pure functions; nothing here loads a model."""

# The format of Stanford Alpaca without an input field (github.com/tatsu-lab/stanford_alpaca), which the first
# case's models were fine-tuned on.
ALPACA_PREAMBLE = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request."
)


def alpaca_prompt(instruction: str, system: str | None = None) -> str:
    """An instruction in the Alpaca format; a system prompt stands before it, so that the trained format stays whole.

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
    return f"{before}{ALPACA_PREAMBLE}\n\n### Instruction:\n{instruction}\n\n### Response:\n"


def chat_messages(instruction: str, system: str | None = None) -> list[dict[str, str]]:
    """An instruction as the messages of a chat, for a model's own template or an endpoint."""
    messages = [{"role": "system", "content": system}] if system else []
    return [*messages, {"role": "user", "content": instruction}]
