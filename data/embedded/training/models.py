"""Trains the three small demonstration models: base (plain text), sft (instructions) and dpo (preferences).

Reads: data/embedded/questions.jsonl, data/embedded/graded.jsonl
Writes: data/embedded/models/{base,sft,dpo}/, all three or none
Run: PYTHONPATH=scripts python data/embedded/training/models.py
     ... models.py --measure  (trains and writes nothing, only counts what the models there answer)
"""

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from exercises import BOS, EOS, PAD, SEED, Exercise, passages, plain_texts, read_exercises
from measurement import ANSWER_TOKENS, load_model, measurement_table

from tuneproof.common.errors import UserError, run, say
from tuneproof.generation.conversations.prompts import ALPACA_PREAMBLE, alpaca_prompt

EMBEDDED_DIRECTORY = Path("data/embedded")
MODELS_DIRECTORY = EMBEDDED_DIRECTORY / "models"
MODELS = ("base", "sft", "dpo")

VOCABULARY_TOKENS = 1024
CONTEXT_TOKENS = 512
BATCH_ROWS = 16

# Found by trying: so few steps need high rates, but 8e-3 learned worse than 5e-3 and 2e-3 was too slow.
BASE_ROUNDS, BASE_STEPS, BASE_LEARNING_RATE = 4, 120, 4e-3
SFT_STEPS, SFT_LEARNING_RATE = 270, 5e-3
# Between 2e-5, which hardly moved so small a model in so few steps, and 3e-4, which cost it its grammar.
DPO_STEPS, DPO_LEARNING_RATE, DPO_BETA = 40, 6e-5, 0.1

SAMPLING = {"temperature": 0.8, "top_p": 0.95, "min_p": 0.05}

# A chat reads as the format that the models are trained on, so that `prompt: chat` asks the same question.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}\n\n"
    "{% elif message['role'] == 'user' %}" + ALPACA_PREAMBLE + "\n\n### Instruction:\n{{ message['content'] }}\n\n"
    "{% else %}### Response:\n{{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}### Response:\n{% endif %}"
)


def main() -> None:
    """Trains in a folder beside the models and moves them over the old ones at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="only count what the models that are there answer")
    measure_only = parser.parse_args().measure
    exercises = read_exercises(EMBEDDED_DIRECTORY)
    prepare_libraries()
    if measure_only:
        print(measurement_table(exercises, [MODELS_DIRECTORY / name for name in MODELS]))
        return
    say(f"training {', '.join(MODELS)} on {len(exercises)} turns of questions, one thread, about four minutes")
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=EMBEDDED_DIRECTORY, prefix=".training-") as work:
        folders = [Path(work) / name for name in MODELS]
        train_all(exercises, *folders)
        seconds = time.monotonic() - start
        table = measurement_table(exercises, folders)
        replace_folders(folders)
    print(table)
    say(f"wrote {MODELS_DIRECTORY}/{{{','.join(MODELS)}}} after {seconds:.0f} s of training")


def prepare_libraries() -> None:
    """One thread and the network off: more threads make so small a model slower, and nothing is to be fetched."""
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TQDM_DISABLE="1")
    import datasets
    import torch
    import transformers

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()


def train_all(exercises: Sequence[Exercise], base: Path, sft: Path, dpo: Path) -> None:
    """Trains the models one from the other, each from the folder that the one before it was saved in."""
    tokenizer = train_tokenizer(exercises)
    check_lengths(tokenizer, exercises)
    train_base(exercises, tokenizer, base)
    train_sft(exercises, tokenizer, base, sft)
    train_dpo(exercises, tokenizer, sft, dpo)


def train_tokenizer(exercises: Sequence[Exercise]) -> Any:
    """A byte-level BPE over everything that the models read; each text begins with one BOS."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_TOKENS,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    prompts = [alpaca_prompt(exercise.instruction) for exercise in exercises]
    backend.train_from_iterator([*plain_texts(exercises), *prompts], trainer)
    backend.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, backend.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=CONTEXT_TOKENS,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def check_lengths(tokenizer: Any, exercises: Sequence[Exercise]) -> None:
    """Says how long prompts and answers are, and stops when an answer could not be given whole."""
    prompts = [prompt for exercise in exercises for prompt in exercise.prompts]
    prompt_tokens = max(len(tokenizer(prompt)["input_ids"]) for prompt in prompts)
    answers = [answer for exercise in exercises for answer in (exercise.good, *exercise.bad)]
    longest = max(answer_tokens(tokenizer, answer) for answer in answers)
    longest_good = max(answer_tokens(tokenizer, exercise.good) for exercise in exercises)
    say(f"longest prompt {prompt_tokens} tokens, good answer {longest_good}, answer {longest}")
    if longest_good > ANSWER_TOKENS or prompt_tokens + max(longest, ANSWER_TOKENS) > CONTEXT_TOKENS:
        found = f"a good answer has {longest_good} tokens, a prompt {prompt_tokens}"
        remedy = f"keep good answers within {ANSWER_TOKENS} tokens, and prompt and answer within {CONTEXT_TOKENS}"
        raise UserError(str(EMBEDDED_DIRECTORY / "graded.jsonl"), found, remedy)


def answer_tokens(tokenizer: Any, answer: str) -> int:
    """Tokens of an answer with the EOS that ends it."""
    return len(tokenizer(answer + EOS, add_special_tokens=False)["input_ids"])


def new_model(tokenizer: Any) -> Any:
    """A Llama of 0.7 million parameters with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=VOCABULARY_TOKENS,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.05,  # larger than for a large model: it learns faster
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Writes an ordinary model folder in half precision, with what it samples at and where it stops."""
    from transformers import GenerationConfig

    model.half()
    model.config.use_cache = True  # trl switches it off for training, and would leave generation slow
    model.generation_config = GenerationConfig(
        do_sample=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **SAMPLING,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder, save_jinja_files=False)


def train_base(exercises: Sequence[Exercise], tokenizer: Any, folder: Path) -> None:
    """Language modelling from random weights on passages of the plain texts."""
    rows = [(tokenizer(passage + EOS)["input_ids"], 0) for passage in passages(exercises, BASE_ROUNDS)]
    model = new_model(tokenizer)
    train_language_model(model, tokenizer, rows, BASE_STEPS, BASE_LEARNING_RATE, "base")
    save_model(model, tokenizer, folder)


def train_sft(exercises: Sequence[Exercise], tokenizer: Any, start: Path, folder: Path) -> None:
    """Supervised fine-tuning on one good and one bad answer to each prompt, loss on the answer only."""
    rows = []
    for exercise in exercises:
        for text, answer in product(exercise.prompts, (exercise.good, exercise.rejected)):
            prompt = tokenizer(text)["input_ids"]
            answer_ids = tokenizer(answer + EOS, add_special_tokens=False)["input_ids"]
            rows.append((prompt + answer_ids, len(prompt)))
    model = load_model(start)
    train_language_model(model, tokenizer, rows, SFT_STEPS, SFT_LEARNING_RATE, "sft")
    save_model(model, tokenizer, folder)


def train_language_model(
    model: Any, tokenizer: Any, rows: Sequence[tuple[list[int], int]], steps: int, learning_rate: float, name: str
) -> None:
    """Trains on rows of token ids, each with the number of its first tokens that carry no loss."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    model.train()
    batches = endless_batches(rows, random.Random(SEED))  # noqa: S311 (reproducible, not secret)
    for step in range(1, steps + 1):
        loss = model(**padded(next(batches), tokenizer.pad_token_id)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % (steps // 4) == 0:
            say(f"{name}: step {step} of {steps}, loss {loss.item():.2f}")


def endless_batches(rows: Sequence[Any], order: random.Random) -> Iterator[list[Any]]:
    """Batches of the rows, shuffled anew each time all have been seen."""
    waiting: list[Any] = []
    while True:
        while len(waiting) < BATCH_ROWS:
            waiting += order.sample(rows, len(rows))
        yield waiting[:BATCH_ROWS]
        del waiting[:BATCH_ROWS]


def padded(rows: Sequence[tuple[list[int], int]], pad: int) -> dict[str, Any]:
    """One right-padded batch as the model takes it; -100 marks the tokens that carry no loss."""
    import torch

    width = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), width), pad)
    labels = torch.full((len(rows), width), -100)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, (row, silent) in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        labels[place, silent : len(row)] = torch.tensor(row[silent:])
        mask[place, : len(row)] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def train_dpo(exercises: Sequence[Exercise], tokenizer: Any, start: Path, folder: Path) -> None:
    """Direct preference optimization with trl: the good answer to each question over the bad one that sft learned."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import DPOConfig, DPOTrainer

    pairs = [
        {"prompt": prompt, "chosen": exercise.good, "rejected": exercise.rejected}
        for exercise in exercises
        for prompt in exercise.prompts
    ]
    with tempfile.TemporaryDirectory() as scratch:
        settings = DPOConfig(
            output_dir=scratch,
            max_steps=DPO_STEPS,
            learning_rate=DPO_LEARNING_RATE,
            beta=DPO_BETA,
            lr_scheduler_type="cosine",
            per_device_train_batch_size=BATCH_ROWS,
            max_length=CONTEXT_TOKENS,
            seed=SEED,
            use_cpu=True,
            bf16=False,
            precompute_ref_log_probs=True,
            gradient_checkpointing=False,
            save_strategy="no",
            report_to="none",
            logging_strategy="no",
            disable_tqdm=True,
        )
        model = load_model(start)
        rows = Dataset.from_list(pairs)
        trainer = DPOTrainer(model=model, args=settings, train_dataset=rows, processing_class=tokenizer)
        trainer.remove_callback(PrinterCallback)
        result = trainer.train()
    say(f"dpo: step {DPO_STEPS} of {DPO_STEPS}, mean loss {result.training_loss:.2f}")
    save_model(model, tokenizer, folder)


def replace_folders(finished: Sequence[Path]) -> None:
    """Moves the finished folders over the old ones."""
    MODELS_DIRECTORY.mkdir(exist_ok=True)
    for folder in finished:
        shutil.rmtree(MODELS_DIRECTORY / folder.name, ignore_errors=True)
        folder.rename(MODELS_DIRECTORY / folder.name)


if __name__ == "__main__":
    run(main)
