"""How often a small model's answer is word for word one that it was taught."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exercises import SEED, Exercise

from tuneproof.generation.prompts import alpaca_prompt

ANSWER_TOKENS = 128
SAMPLES = 5  # answers to each question


def load_model(folder: Path) -> Any:
    """A saved model in full precision."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def sample_answers(folder: Path, exercises: Sequence[Exercise], samples: int) -> list[list[str]]:
    """Answers of a saved model to each question at the demonstration's sampling settings."""
    import torch
    from transformers import AutoTokenizer

    torch.manual_seed(SEED)
    model, tokenizer = load_model(folder).eval(), AutoTokenizer.from_pretrained(folder)
    prompts = [alpaca_prompt(exercise.instruction) for exercise in exercises]
    batch = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left", return_token_type_ids=False)
    with torch.inference_mode():
        output = model.generate(**batch, max_new_tokens=ANSWER_TOKENS, num_return_sequences=samples)
    texts = tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [texts[start : start + samples] for start in range(0, len(texts), samples)]


def count_answers(exercises: Sequence[Exercise], answers: Sequence[Sequence[str]]) -> Counter[str]:
    """How many answers are word for word the good one, word for word a bad one, or anything else."""
    return Counter(
        "good" if answer == exercise.good else "bad" if answer in exercise.bad else "other"
        for exercise, texts in zip(exercises, answers, strict=True)
        for answer in texts
    )


def measurement_table(exercises: Sequence[Exercise], folders: Sequence[Path]) -> str:
    """The models' answers to the test questions, counted, as a Markdown table."""
    test = [exercise for exercise in exercises if exercise.test]
    lines = [
        f"| model | answers to {len(test)} test questions | exactly the good one | exactly a bad one | other |",
        "|---|---|---|---|---|",
    ]
    for folder in folders:
        counts = count_answers(test, sample_answers(folder, test, SAMPLES))
        lines.append(f"| {folder.name} | {counts.total()} | {counts['good']} | {counts['bad']} | {counts['other']} |")
    return "\n".join(lines)
