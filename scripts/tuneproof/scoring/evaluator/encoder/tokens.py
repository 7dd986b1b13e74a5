"""How an answer's texts become tokens, the same in training and in scoring."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneproof.scoring.evaluator.contract import Texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ORDER = ("input", "ground_truth", "output")
CHARACTERS_PER_TOKEN = 40  # of a text more than this many times the room is never seen, so it is cut before


@dataclass(frozen=True)
class Tokens:
    """A tokenizer, with the room that there is for question, truth and answer together."""

    tokenizer: "Tokenizer"
    begin: tuple[int, ...]
    end: tuple[int, ...]
    columns: tuple[str, ...]
    max_tokens: int

    @classmethod
    def read(cls, path: Path, columns: Sequence[str], max_tokens: int) -> "Tokens":
        """Reads a tokenizer.json. Special tokens that a text spells out are text like any other."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        frame = tokenizer.encode("").ids  # such as [CLS] [SEP]
        tokenizer.encode_special_tokens = True
        ordered = tuple(column for column in ORDER if column in columns)
        return cls(tokenizer, tuple(frame[:-1]), tuple(frame[-1:]), ordered, max_tokens)

    def ids(self, row: Texts) -> list[int]:
        """Begin, then each column's tokens with the end token after it; what does not fit is cut from the longest."""
        texts = [getattr(row, column) or "" for column in self.columns]
        room = self.max_tokens - len(self.begin) - len(self.end) * len(texts)
        most = room * CHARACTERS_PER_TOKEN
        plain = [text[:most].encode("utf-8", "replace").decode() for text in texts]
        encoded = [each.ids for each in self.tokenizer.encode_batch(plain, add_special_tokens=False)]
        kept = shares_of(room, [len(each) for each in encoded])
        found = list(self.begin)
        for ids, count in zip(encoded, kept, strict=True):
            found += [*ids[:count], *self.end]
        return found


def shares_of(room: int, wanted: Sequence[int]) -> list[int]:
    """How many tokens each text gets: all that it wants where that fits, else the longest are cut to one length."""
    if sum(wanted) <= room:
        return list(wanted)
    given, left = [0] * len(wanted), room
    for place in sorted(range(len(wanted)), key=lambda each: wanted[each]):
        waiting = sum(1 for each in range(len(wanted)) if not given[each] and wanted[each] >= wanted[place])
        given[place] = min(wanted[place], left // max(waiting, 1))
        left -= given[place]
    return given
