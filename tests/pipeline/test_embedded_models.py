"""The three small models in data/embedded/models: what is in their folders, how they are asked, what they answer."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tuneproof.generation.conversations.prompts import ALPACA_PREAMBLE, alpaca_prompt, chat_messages
from tuneproof.generation.weights.tokens import first_token_id, load_tokenizer, prompt_token_ids, stop_token_ids

EMBEDDED = ROOT / "data" / "embedded"
MODELS = EMBEDDED / "models"
NAMES = ("base", "sft", "dpo")
FILES = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
PARAMETERS = 722_048
SIZE_LIMIT_BYTES = 2_000_000
ANSWER_TOKENS = 128
TOLERANCE = 20  # answers of 200: another CPU rounds differently, and then samples differently

each_model = pytest.mark.parametrize("name", NAMES)


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EMBEDDED / name).read_text(encoding="utf-8").splitlines()]


def read_json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def good_answers() -> dict[str, str]:
    """The good answers to first turns, by question id."""
    rows = [row for row in read_rows("graded.jsonl") if not row.get("turn")]
    return {row["id"]: row["answer"] for row in rows if row["accuracy"] == row["style"] == 3}


def load_model(name: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(MODELS / name, dtype=torch.float32, local_files_only=True)


@cache
def sampled_answers(name: str) -> dict[str, str]:
    """One answer to each of the 40 test questions, by question id, at the model's own sampling settings."""
    import torch

    model, tokenizer = load_model(name).eval(), load_tokenizer(MODELS / name)
    questions = [row for row in read_rows("questions.jsonl") if row["part"] == "test"]
    prompts = [alpaca_prompt(question["instruction"]) for question in questions]
    batch = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left", return_token_type_ids=False)
    torch.manual_seed(5)
    with torch.inference_mode():
        output = model.generate(**batch, max_new_tokens=ANSWER_TOKENS)
    texts = tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return dict(zip((question["id"] for question in questions), texts, strict=True))


def good_count(name: str) -> int:
    good = good_answers()
    return sum(answer == good[question_id] for question_id, answer in sampled_answers(name).items())


def run_training(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the training command in a folder that holds a copy of data/embedded."""
    return subprocess.run(
        [sys.executable, "data/embedded/training/models.py", *arguments],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )


def table_counts(text: str) -> dict[tuple[str, str], list[int]]:
    """The counts in a measurement table: model and turn -> answers, good, bad, other."""
    rows = re.findall(r"^\| (base|sft|dpo) \| ([01])" + r" \| (\d+)" * 4 + r" \|$", text, re.MULTILINE)
    return {(name, turn): [int(count) for count in counts] for name, turn, *counts in rows}


@each_model
def test_folder_is_small_and_holds_no_pickle(name: str) -> None:
    files = list((MODELS / name).iterdir())
    assert {file.name for file in files} == FILES
    assert sum(file.stat().st_size for file in files) < SIZE_LIMIT_BYTES


@each_model
def test_model_loads_with_the_stated_number_of_parameters(name: str) -> None:
    model = load_model(name)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert model.num_parameters() == PARAMETERS
    assert model.config.use_cache


@each_model
def test_weights_are_stored_in_half_precision(name: str) -> None:
    from safetensors import safe_open

    with safe_open(MODELS / name / "model.safetensors", framework="pt") as weights:
        assert {weights.get_slice(key).get_dtype() for key in weights.keys()} == {"F16"}  # noqa: SIM118 (no mapping)


@each_model
def test_config_generation_config_and_tokenizer_agree_on_special_tokens(name: str) -> None:
    tokenizer = load_tokenizer(MODELS / name)
    expected = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    assert len(set(expected.values())) == 3
    for file in ("config.json", "generation_config.json"):
        document = read_json(MODELS / name / file)
        assert {key: document[key] for key in expected} == expected
    assert stop_token_ids(tokenizer, MODELS / name) == (tokenizer.eos_token_id,)
    assert len(tokenizer) == read_json(MODELS / name / "config.json")["vocab_size"]


def test_models_share_one_tokenizer() -> None:
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert len({(MODELS / name / file).read_bytes() for name in NAMES}) == 1


@each_model
def test_chat_asks_what_the_alpaca_format_asks_with_one_bos(name: str) -> None:
    tokenizer = load_tokenizer(MODELS / name)
    first = first_token_id(tokenizer)
    assert first == tokenizer.bos_token_id
    for question in read_rows("questions.jsonl"):
        prompt = alpaca_prompt(question["instruction"])
        messages = chat_messages(question["instruction"])
        chat = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        token_ids, same = prompt_token_ids(tokenizer, [prompt, chat], first)
        assert token_ids == same == tokenizer(prompt)["input_ids"]
        assert token_ids.count(tokenizer.bos_token_id) == 1


def test_system_prompt_and_earlier_turns_stand_in_the_chat() -> None:
    tokenizer = load_tokenizer(MODELS / "dpo")
    system = chat_messages("Why?", "Be brief.")
    text = tokenizer.apply_chat_template(system, tokenize=False, add_generation_prompt=True)
    assert text == tokenizer.bos_token + alpaca_prompt("Why?", "Be brief.")
    turns = [*system, {"role": "assistant", "content": "Because."}, {"role": "user", "content": "And then?"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text.count(ALPACA_PREAMBLE) == 2
    assert f"### Response:\nBecause.{tokenizer.eos_token}" in text
    assert text.endswith("And then?\n\n### Response:\n")


@pytest.mark.parametrize("text", ["Größe, naïve, 模型, 🙂", "x = {'a': 1}\n\tpass\r\n", "two  spaces .", "\x00\x7f"])
def test_tokenizer_gives_any_text_back(text: str) -> None:
    tokenizer = load_tokenizer(MODELS / "sft")
    assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True) == text


def test_every_prompt_and_good_answer_fits() -> None:
    tokenizer, good = load_tokenizer(MODELS / "sft"), good_answers()
    context_tokens = read_json(MODELS / "sft" / "config.json")["max_position_embeddings"]
    for question in read_rows("questions.jsonl"):
        (prompt,) = prompt_token_ids(tokenizer, [alpaca_prompt(question["instruction"])], tokenizer.bos_token_id)
        answer = tokenizer.encode(good[question["id"]] + tokenizer.eos_token, add_special_tokens=False)
        assert len(answer) <= ANSWER_TOKENS
        assert len(prompt) + ANSWER_TOKENS <= context_tokens


def test_base_knows_no_answer_but_always_says_something() -> None:
    assert good_count("base") == 0
    assert all(answer.strip() for answer in sampled_answers("base").values())


def test_sft_mixes_good_and_bad_answers() -> None:
    graded = read_rows("graded.jsonl")
    known = {row["id"]: {other["answer"] for other in graded if other["id"] == row["id"]} for row in graded}
    taught = sum(answer in known[question_id] for question_id, answer in sampled_answers("sft").items())
    assert taught > 25
    assert 8 < good_count("sft") < 32


def test_dpo_answers_differ_from_those_of_sft_and_are_good_more_often() -> None:
    assert sampled_answers("dpo") != sampled_answers("sft")
    assert good_count("dpo") > good_count("sft") + 4


@pytest.mark.exhaustive
def test_card_states_what_the_models_answer(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED, tmp_path / "data" / "embedded")
    finished = run_training(tmp_path, "--measure")
    assert finished.returncode == 0, finished.stderr
    measured, stated = table_counts(finished.stdout), table_counts((MODELS / "README.md").read_text(encoding="utf-8"))
    assert list(measured) == list(stated) == list(product(NAMES, "01"))
    for place, counts in stated.items():
        assert measured[place][0] == counts[0] == sum(counts[1:])
        assert measured[place][1:] == pytest.approx(counts[1:], abs=TOLERANCE)


def test_card_names_its_command_licence_and_limits() -> None:
    card = (MODELS / "README.md").read_text(encoding="utf-8")
    for words in ("training/models.py", "Apache-2.0", "half", "all 100 questions", "trl 1.16.0"):
        assert words in card


def without_a_good_answer(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"style": 2}


def with_endless_answers(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"answer": row["answer"] + " and so on, and so forth" * 40}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("spoil", "found"),
    [(without_a_good_answer, "0 of them graded 3 and 3"), (with_endless_answers, "a good answer has")],
)
def test_failed_training_leaves_the_models_alone(tmp_path: Path, spoil: Any, found: str) -> None:
    folder = tmp_path / "data" / "embedded"
    shutil.copytree(EMBEDDED, folder)
    rows = [json.dumps(spoil(row)) for row in read_rows("graded.jsonl")]
    (folder / "graded.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    finished = run_training(tmp_path)
    assert finished.returncode == 1
    assert re.search(f"^error: data/embedded/graded.jsonl: .*{found}", finished.stderr, re.MULTILINE)
    assert "Traceback" not in finished.stderr
    for name in NAMES:
        for file in FILES:
            assert (folder / "models" / name / file).read_bytes() == (MODELS / name / file).read_bytes()
    assert not list(folder.glob(".training-*"))
