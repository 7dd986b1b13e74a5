"""Writes a trained encoder's files: safetensors, tokenizer and ONNX, the last one also with weights of 8 bits."""

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, shortened
from tuneproof.scoring.evaluator.contract import TOKENIZER
from tuneproof.scoring.evaluator.encoder.fitting import Fitted
from tuneproof.scoring.evaluator.encoder.model import INPUTS, INSTALL, padded
from tuneproof.scoring.evaluator.learning.examples import Example

FULL, SMALL = "model.onnx", "model.int8.onnx"
LOST_AT_MOST = 0.01  # of the AUC, for 8 bits to be used
OPSET = 18


def write_encoder(fitted: Fitted, folder: Path, examples: Sequence[Example]) -> None:
    """Writes model.safetensors, config.json, tokenizer.json, model.onnx and model.int8.onnx. Raises a UserError.

    A few examples are needed to see how the encoder computes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = fitted.model.to("cpu").eval()
    model.save_pretrained(str(folder))
    fitted.tokens.tokenizer.encode_special_tokens = False
    fitted.tokens.tokenizer.save(str(folder / TOKENIZER))
    fitted.tokens.tokenizer.encode_special_tokens = True
    rows = [fitted.tokens.ids(example.texts) for example in examples[:2]]
    try:
        export(model, rows, folder / FULL)
        quantize(folder / FULL, folder / SMALL)
    except ImportError:
        raise UserError("train", "ONNX files need onnx, onnxscript and onnxruntime", INSTALL) from None


def export(model: Any, rows: Sequence[Sequence[int]], path: Path) -> None:
    """Writes a model as ONNX, for batches of any size and texts of any length."""
    import torch

    class Logits(torch.nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    given = tuple(torch.from_numpy(each) for each in padded(rows))
    shape = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), quiet_loggers():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Logits(model), given, str(path), dynamo=True, external_data=False, opset_version=OPSET, verbose=False,
                input_names=list(INPUTS), output_names=["logits"], dynamic_shapes=dict.fromkeys(INPUTS, shape),
            )  # fmt: skip
    except torch.onnx.OnnxExporterError as error:
        found = f"this kind of encoder cannot be written as ONNX ({shortened(error)})"
        raise UserError("evaluator.base", found, "name another base, such as answerdotai/ModernBERT-base") from None


@contextlib.contextmanager
def quiet_loggers() -> Any:
    """What the exporter tells of its passes concerns nobody here."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def quantize(full: Path, small: Path) -> None:
    """Writes the same model with weights of 8 bits."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(full))
    del model.graph.value_info[:]  # shapes that quantizing contradicts
    bare = full.with_suffix(".bare.onnx")
    onnx.save(model, str(bare))
    with quiet_loggers():
        quantize_dynamic(str(bare), str(small), weight_type=QuantType.QInt8)
    bare.unlink()
