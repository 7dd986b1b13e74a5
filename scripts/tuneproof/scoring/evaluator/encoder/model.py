"""An encoder as it scores: through onnxruntime, with the tokenizers library, on the CPU and without PyTorch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneproof.common.errors import UserError, shortened
from tuneproof.scoring.evaluator.contract import TOKENIZER, Manifest, Texts
from tuneproof.scoring.evaluator.encoder.tokens import Tokens

INSTALL = "pip install -c requirements/constraints.txt -r requirements/evaluator.txt"
INPUTS = ("input_ids", "attention_mask")


@dataclass(frozen=True)
class OnnxEncoder:
    """A session of onnxruntime with its tokenizer."""

    session: Any
    tokens: Tokens

    def logits(self, rows: Sequence[Texts]) -> list[list[float]]:
        """The logits of each row.

        Rows go through one by one: weights of 8 bits are scaled by all that goes through together, and an answer's
        score must not depend on its neighbours. On a CPU it costs nothing, for nothing is padded.
        """
        return [self.logits_of(self.tokens.ids(row)) for row in rows]

    def logits_of(self, ids: Sequence[int]) -> list[float]:
        """The logits of one row's tokens."""
        (found,) = self.session.run(["logits"], dict(zip(INPUTS, padded([ids]), strict=True)))
        return [float(value) for value in found[0]]


def padded(rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """Token ids padded with 0 to one length, and a mask that is 1 where there is a token."""
    longest = max(map(len, rows))
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return ids, mask


def read_encoder(folder: Path, manifest: Manifest, threads: int = 0) -> OnnxEncoder:
    """Loads an encoder's ONNX file and tokenizer. `threads` is how many it computes with, 0 for one on each core.

    Raises a UserError where a file is broken or onnxruntime is not installed.
    """
    return open_encoder(folder, manifest.scores_with, manifest.columns, manifest.max_tokens or 512, threads)


def open_encoder(folder: Path, file: str, columns: Sequence[str], max_tokens: int, threads: int = 0) -> OnnxEncoder:
    """As `read_encoder`, of a folder that has no manifest yet."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(str(folder), "an evaluator with an encoder needs onnxruntime", INSTALL) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # its warnings are about its own rewriting of the graph
    try:
        session = onnxruntime.InferenceSession(str(folder / file), options, providers=["CPUExecutionProvider"])
        return OnnxEncoder(session, Tokens.read(folder / TOKENIZER, columns, max_tokens))
    except Exception as error:  # onnxruntime and tokenizers raise their own kinds, some of them bare Exceptions
        found = f"its encoder cannot be loaded ({shortened(error)})"
        raise UserError(str(folder), found, "train it anew, or restore the folder") from None
