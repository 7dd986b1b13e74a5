"""What tells the items of a task apart: their prompts without the beginning and the end that all of them share.

Whatever a harness or a prompt format puts around every item goes by this, and none of them need be known.
"""

import re
from collections.abc import Sequence
from itertools import takewhile

BEGINNING = re.compile(r".*(?:\n|[.:!?]\s)", flags=re.DOTALL)  # whole lines and sentences, and what a colon ends
ENDING = re.compile(r"(?:\n|(?<=[.:!?])\s).*", flags=re.DOTALL)  # words alone may be a question's own


def without_shared_ends(texts: Sequence[str]) -> list[str]:
    """Each text without the lines and sentences that all begin and end with; one that is nothing else stays whole.

    >>> without_shared_ends(["Q: What is 2 + 2? A:", "Q: What is 2 + 3? A:"])
    ['What is 2 + 2?', 'What is 2 + 3?']
    """
    if len(set(texts)) < 2:
        return list(texts)
    start = length(BEGINNING.match(shared_beginning(texts)))
    rest = [text[start:] for text in texts]
    end = length(ENDING.search(shared_beginning([text[::-1] for text in rest])[::-1]))
    return [of_rest[: len(of_rest) - end].strip() or text for text, of_rest in zip(texts, rest, strict=True)]


def shared_beginning(texts: Sequence[str]) -> str:
    """The longest text that all of these begin with: the first and the last of them in order differ soonest."""
    both = zip(min(texts), max(texts), strict=False)
    return "".join(letter for letter, _ in takewhile(lambda pair: pair[0] == pair[1], both))


def length(found: re.Match[str] | None) -> int:
    """How much was found."""
    return len(found[0]) if found else 0
