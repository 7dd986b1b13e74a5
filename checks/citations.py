"""An example of a check of your own: whether an answer names a source."""

import re

SOURCE = re.compile(r"https?://\S+|\[\d+\]|\(\w[^()]*,? \d{4}\)")


def has_citation(answer: str, question: str, reference: str | None) -> tuple[float, str]:
    """1 where there is an address, a number in brackets or a name with a year in the answer.

    >>> has_citation("It halves the memory (Dettmers et al., 2023).", "What does it do?", None)
    (1.0, "found '(Dettmers et al., 2023)'")
    >>> has_citation("It halves the memory.", "What does it do?", None)
    (0.0, 'no source is named')
    """
    found = SOURCE.search(answer)
    return (1.0, f"found {found[0]!r}") if found else (0.0, "no source is named")
