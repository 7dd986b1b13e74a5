"""A real model behind a real server as the judge: vLLM on the CPU, with structured outputs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project
from tests.made_up.judging import rows_of, with_answers
from tests.pipeline.vllm_server import vllm_server

# A minute of vLLM's server for each run; `make test` has vLLM's engine, and a server that speaks the judge's protocol.
pytestmark = pytest.mark.exhaustive

TOKENIZER = ROOT / "data" / "embedded" / "models" / "sft"
HIDDEN, CONTEXT = 64, 4096


def make_model(folder: Path) -> None:
    """Writes a model of random weights that likes to end its strings, and whose scores depend on what it reads.

    Every token's first number is the same and passes through all layers unchanged, so that the output for the quotation
    mark, which reads that number alone, is always high. Without that a random model would write one endless string.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER, local_files_only=True)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=HIDDEN, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=CONTEXT, tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, initializer_range=0.2,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 2.0
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[0] = 0
            layer.mlp.down_proj.weight[0] = 0
        model.lm_head.weight[:, 0] = 0
        mark = tokenizer.convert_tokens_to_ids('"')
        model.lm_head.weight[mark] = 0
        model.lm_head.weight[mark, 0] = 40.0
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, folder)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of vLLM's API server, which judges with the small model, and the model's name."""
    folder = tmp_path_factory.mktemp("judge")
    make_model(folder / "model")
    structured = '{"backend": "xgrammar", "disable_any_whitespace": true}'
    options = ("--max-model-len", str(CONTEXT), "--logprobs-mode", "processed_logprobs")
    with vllm_server(folder / "model", *options, "--structured-outputs-config", structured, folder=folder) as started:
        yield started


def test_a_real_local_judge_scores_every_answer(project: Project, judge: tuple[str, str]) -> None:
    url, model = judge
    answers = {"sft": [f"It is the number {number}, I think." for number in range(20)]}
    with_answers(project, url, answers, model=model, served_as="local", max_tokens=300, logprobs=False)
    project.run_ok("judge.py", "sft")
    rows = rows_of(project, "judgements", "sft")
    assert [row["status"] for row in rows] == ["ok"] * 20
    assert all(row["scores"][name] in (1, 2, 3) for row in rows for name in ("accuracy", "style"))
    assert {reply["model"] for row in rows for reply in row["replies"]} == {model}
    assert all(reply["prompt_tokens"] > 100 for row in rows for reply in row["replies"])


def test_a_real_local_judge_compares_and_gives_logprobs(project: Project, judge: tuple[str, str]) -> None:
    url, model = judge
    answers = {"sft": ["It is a number.", "I am not sure."], "baseline": ["Why?", "A letter."]}
    settings = {"model": model, "served_as": "local", "max_tokens": 300, "logprobs": True, "score_first": True}
    with_answers(project, url, answers, **settings)
    project.run_ok("compare.py", "sft")
    rows = rows_of(project, "comparisons", "sft")
    assert [row["status"] for row in rows] == ["ok"] * 4
    assert all(0 <= row["preference"] <= 1 for row in rows)
    probabilities = [reply["probabilities"]["preference"] for row in rows for reply in row["replies"]]
    assert all(sum(steps.values()) == pytest.approx(1) for steps in probabilities)
