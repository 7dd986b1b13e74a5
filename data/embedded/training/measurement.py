"""How often a small model's answer is word for word one that it was taught."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exercises import SEED, Exercise

ANSWER_TOKENS = 128
SAMPLES = 5  # answers to each question


def load_model(folder: Path) -> Any:
    """A saved model in full precision."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def sample_answers(folder: Path, exercises: Sequence[Exercise], samples: int) -> dict[Exercise, list[str]]:
    """A saved model's answers at the demonstration's sampling settings; a second turn is asked behind its own first."""
    import torch
    from transformers import AutoTokenizer

    torch.manual_seed(SEED)
    model, tokenizer = load_model(folder).eval(), AutoTokenizer.from_pretrained(folder)
    answers: dict[Exercise, list[str]] = {}
    for turn in (0, 1):
        part = [exercise for exercise in exercises if exercise.turn == turn]
        prompts = [prompt for exercise in part for prompt in prompts_of(exercise, answers, samples)]
        batch = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left", return_token_type_ids=False)
        with torch.inference_mode():
            output = model.generate(**batch, max_new_tokens=ANSWER_TOKENS)
        texts = tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        answers |= {one: texts[place * samples :][:samples] for place, one in enumerate(part)}
    return answers


def prompts_of(exercise: Exercise, answers: Mapping[Exercise, Sequence[str]], samples: int) -> list[str]:
    """What the model is asked with, once for each sample."""
    if exercise.before is None:
        return exercise.prompts * samples
    return [exercise.prompt_behind(answer) for answer in answers[exercise.before]]


def count_answers(answers: Mapping[Exercise, Sequence[str]]) -> Counter[str]:
    """How many answers are word for word the good one, word for word a bad one, or anything else."""
    return Counter(
        "good" if answer == exercise.good else "bad" if answer in exercise.bad else "other"
        for exercise, texts in answers.items()
        for answer in texts
    )


def measurement_table(exercises: Sequence[Exercise], folders: Sequence[Path]) -> str:
    """The models' answers to the test questions, counted by turn, as a Markdown table."""
    columns = ("model", "turn", "answers", "exactly the good one", "exactly a bad one", "other")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for folder in folders:
        answers = sample_answers(folder, [exercise for exercise in exercises if exercise.test], SAMPLES)
        for turn in (0, 1):
            counts = count_answers({one: texts for one, texts in answers.items() if one.turn == turn})
            cells = (folder.name, turn, counts.total(), counts["good"], counts["bad"], counts["other"])
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
