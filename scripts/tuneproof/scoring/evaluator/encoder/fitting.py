"""Trains an encoder on labelled answers with transformers' Trainer: early stopping, checkpoints, seeds."""

import logging
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneproof.common.errors import UserError, shortened
from tuneproof.scoring.evaluator.contract import TOKENIZER
from tuneproof.scoring.evaluator.encoder.checkpoints import last_checkpoint, marking_callback
from tuneproof.scoring.evaluator.encoder.model import INSTALL, padded
from tuneproof.scoring.evaluator.encoder.tokens import Tokens
from tuneproof.scoring.evaluator.learning.examples import Classes, Example
from tuneproof.settings.evidence.evaluator import Training
from tuneproof.statistics.distributions import Array

MOST_STEPS_BETWEEN_LOOKS = 500  # at the validation questions, and between checkpoints
LEAST_POSITIONS = 16


@dataclass(frozen=True)
class Fitted:
    """A trained encoder as PyTorch has it, its tokens, and what it lost on validation questions by step."""

    model: Any
    tokens: Tokens
    losses: Mapping[float, float]

    def logits(self, examples: Sequence[Example], batch_size: int = 32) -> Array:
        """The logits of examples, rows x logits."""
        import torch

        found = []
        self.model.eval()
        for start in range(0, len(examples), batch_size):
            rows = [self.tokens.ids(example.texts) for example in examples[start : start + batch_size]]
            ids, mask = (torch.from_numpy(each).to(self.model.device) for each in padded(rows))
            with torch.inference_mode():
                found.append(self.model(input_ids=ids, attention_mask=mask).logits.float().cpu().numpy())
        return np.concatenate(found)


@dataclass(frozen=True)
class Lesson:
    """What is trained: classes from columns, on a base, by these settings, on this device, with checkpoints there."""

    classes: Classes
    columns: tuple[str, ...]
    base: Path
    training: Training
    device: str
    track: str | None
    checkpoints: Path


def steps_at_most(examples: int, training: Training) -> int:
    """How many steps a training takes where nothing stops it early."""
    return math.ceil(examples / training.batch_size) * training.epochs


def fit_encoder(
    lesson: Lesson, examples: Sequence[Example], validation: Sequence[Example], advance: Callable[..., None]
) -> Fitted:
    """Trains the base further; goes on from the last whole checkpoint, and removes all of them in the end.

    `advance` is told of each step. Raises a UserError where PyTorch is not installed or the base cannot be trained.
    """
    tokens = tokens_of(lesson)
    trainer = trainer_of(lesson, tokens, examples, validation, advance)
    last = last_checkpoint(lesson.checkpoints)
    if last is not None:
        advance(int(last.name.rpartition("-")[2]))
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    losses = {float(row["step"]): row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row}
    shutil.rmtree(lesson.checkpoints, ignore_errors=True)
    return Fitted(trainer.model, tokens, losses)


def tokens_of(lesson: Lesson) -> Tokens:
    """The base's tokenizer, saved beside the checkpoints as the tokenizers library reads it."""
    try:
        from transformers import AutoConfig, AutoTokenizer
    except ImportError:
        raise UserError("train", "training an encoder needs PyTorch and transformers", INSTALL) from None
    path = lesson.checkpoints / TOKENIZER
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(lesson.base), trust_remote_code=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        tokenizer.backend_tokenizer.save(str(path))
        config = AutoConfig.from_pretrained(str(lesson.base), trust_remote_code=False)
    except (OSError, ValueError, AttributeError, ImportError) as error:
        found = f"its tokenizer cannot be read ({shortened(error)})"
        raise UserError(str(lesson.base), found, "name an encoder with a tokenizer.json") from None
    positions = getattr(config, "max_position_embeddings", None) or lesson.training.max_tokens
    if config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= 2  # its first position is the padding's next one
    if positions < LEAST_POSITIONS:
        raise UserError(str(lesson.base), f"it sees only {positions} tokens", "name an encoder that sees more")
    return Tokens.read(path, lesson.columns, min(lesson.training.max_tokens, positions))


def base_model(lesson: Lesson) -> Any:
    """The base with a head for the classes' logits."""
    import torch
    from transformers import AutoModelForSequenceClassification, set_seed
    from transformers import logging as transformers_logging

    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    set_seed(lesson.training.seed)
    try:
        return AutoModelForSequenceClassification.from_pretrained(
            str(lesson.base), num_labels=logits_of(lesson.classes), trust_remote_code=False, use_safetensors=True,
            dtype=torch.float32, ignore_mismatched_sizes=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        found = f"it cannot be loaded as an encoder ({shortened(error)})"
        raise UserError(str(lesson.base), found, "name an encoder such as answerdotai/ModernBERT-base") from None


def logits_of(classes: Classes) -> int:
    """How many logits a model of these classes gives."""
    return len(classes.names) - (classes.steps is not None)


def trainer_of(
    lesson: Lesson,
    tokens: Tokens,
    examples: Sequence[Example],
    validation: Sequence[Example],
    advance: Callable[..., None],
) -> Any:
    """The Trainer, whose loss weighs each example."""
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
    from transformers import EarlyStoppingCallback, PrinterCallback, Trainer

    ordered = lesson.classes.steps is not None

    class Weighing(Trainer):  # type: ignore[misc]  # transformers is not followed
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
            targets, weights = inputs["targets"], inputs["weights"]
            if ordered:
                losses = binary_cross_entropy_with_logits(outputs.logits, targets, reduction="none").sum(dim=1)
            else:
                losses = cross_entropy(outputs.logits, targets, reduction="none")
            loss = (losses * weights).sum() / weights.sum()
            return (loss, outputs) if return_outputs else loss

    trainer = Weighing(
        model=base_model(lesson),
        args=arguments_of(lesson, len(examples)),
        train_dataset=rows_of(lesson.classes, tokens, examples),
        eval_dataset=rows_of(lesson.classes, tokens, validation),
        data_collator=collated,
        callbacks=[EarlyStoppingCallback(lesson.training.patience), marking_callback(advance)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def arguments_of(lesson: Lesson, examples: int) -> Any:
    """The Trainer's own settings."""
    import torch
    from transformers import TrainingArguments

    training, looks = lesson.training, min(math.ceil(examples / lesson.training.batch_size), MOST_STEPS_BETWEEN_LOOKS)
    on_gpu = lesson.device in ("auto", "cuda") and torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(lesson.checkpoints), seed=training.seed, data_seed=training.seed,
        num_train_epochs=training.epochs, learning_rate=training.learning_rate, weight_decay=0.01, warmup_steps=0.1,
        per_device_train_batch_size=training.batch_size, per_device_eval_batch_size=32,
        eval_strategy="steps", eval_steps=looks, save_strategy="steps", save_steps=looks, save_total_limit=3,
        load_best_model_at_end=True, metric_for_best_model="eval_loss", greater_is_better=False,
        restore_callback_states_from_checkpoint=True, remove_unused_columns=False, label_names=["targets"],
        use_cpu=lesson.device == "cpu", bf16=on_gpu and torch.cuda.is_bf16_supported(),
        dataloader_pin_memory=on_gpu, report_to=lesson.track or "none", disable_tqdm=True, log_level="critical",
        logging_strategy="steps", logging_steps=looks,
    )  # fmt: skip


def rows_of(classes: Classes, tokens: Tokens, examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Examples as the Trainer takes them."""
    labels = [example.label for example in examples]
    targets = classes.targets(labels) if classes.steps is not None else classes.numbers(labels)
    return [
        {"ids": tokens.ids(example.texts), "target": target, "weight": example.weight}
        for example, target in zip(examples, targets, strict=True)
    ]


def collated(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch of rows as tensors: on a scale a target for each logit, else the class's number."""
    import torch

    ids, mask = padded([row["ids"] for row in rows])
    targets = np.array([row["target"] for row in rows])
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        "targets": torch.tensor(targets, dtype=torch.float32 if targets.ndim == 2 else torch.long),
        "weights": torch.tensor([row["weight"] for row in rows], dtype=torch.float32),
    }
