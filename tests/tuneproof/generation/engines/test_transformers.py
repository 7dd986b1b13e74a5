import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tuneproof.generation.engines.workspaces import (
    FULL_STOP,
    SMALL_MODELS,
    Workspace,
    answered,
    instructions,
    make_workspace,
    rendered,
    texts_of,
    with_tokens,
)
from tuneproof.common.errors import UserError
from tuneproof.generation.engines import transformers as engine
from tuneproof.generation.weights.tokens import load_tokenizer


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return make_workspace(tmp_path / "workspace")


@pytest.fixture
def own_model(workspace: Workspace) -> Path:
    """A copy of the small model that a test may change, used by the workspace."""
    folder = workspace.root / "model"
    shutil.copytree(SMALL_MODELS / "sft", folder)
    workspace.change(id=str(folder))
    return folder


def change_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_answers_are_the_same_whatever_the_batch_and_the_order(workspace: Workspace) -> None:
    questions = workspace.ask(instructions(40))
    expected = texts_of(answered(engine, workspace.job(), questions))
    assert len(set(expected.values())) == 40
    for batch_size, shuffled in ((1, False), (7, True), (64, True)):
        workspace.change(execution={"transformers": {"batch_size": batch_size}})
        assert texts_of(answered(engine, workspace.job(), questions, shuffled)) == expected, batch_size


def test_answers_are_the_same_when_only_some_are_asked_for(workspace: Workspace) -> None:
    questions = workspace.ask(instructions(40))
    expected = texts_of(answered(engine, workspace.job(), questions))
    assert texts_of(answered(engine, workspace.job(), questions[13:29])).items() <= expected.items()


def test_more_samples_leave_the_first_as_it_was_and_differ_from_it(workspace: Workspace) -> None:
    one = texts_of(answered(engine, workspace.job(), workspace.questions))
    workspace.change(sampling={"samples": 3})
    three = texts_of(answered(engine, workspace.job(), workspace.questions))
    assert one.items() <= three.items()
    assert len(three) == 3 * len(one) == len(set(three.values()))


def test_another_seed_gives_other_answers_and_other_keys(workspace: Workspace) -> None:
    first = answered(engine, workspace.job(), workspace.questions)
    workspace.change(sampling={"seed": 43})
    second = answered(engine, workspace.job(), workspace.questions)
    assert not set(texts_of(first).values()) & set(texts_of(second).values())
    assert not {request.key for request, _ in first} & {request.key for request, _ in second}


def test_temperature_0_is_the_model_librarys_own_greedy_search(workspace: Workspace) -> None:
    import torch
    import transformers

    workspace.change(sampling={"temperature": 0.0})
    saved = answered(engine, workspace.job(), workspace.questions)
    tokenizer = load_tokenizer(SMALL_MODELS / "sft")
    model = transformers.AutoModelForCausalLM.from_pretrained(SMALL_MODELS / "sft", dtype=torch.float64)
    for request, result in saved[:4]:
        ids = torch.tensor([list(request.token_ids)])
        output = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False,
            temperature=None, top_p=None, min_p=None,
        )  # fmt: skip
        assert result.answer == tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)


def test_the_sampled_tokens_follow_the_models_distribution(workspace: Workspace) -> None:
    import torch
    import transformers

    workspace.change(sampling={"temperature": 1.5, "top_p": 0.85, "min_p": 0.03, "samples": 600, "max_tokens": 1})
    workspace.change(execution={"transformers": {"batch_size": 200}})
    saved = answered(engine, workspace.job(), workspace.questions[:1])
    model = transformers.AutoModelForCausalLM.from_pretrained(SMALL_MODELS / "sft", dtype=torch.float64)
    with torch.inference_mode():
        logits = model(torch.tensor([list(saved[0][0].token_ids)])).logits[0, -1] / 1.5
    likely, order = torch.softmax(logits, -1).sort(descending=True)
    likely[likely < 0.03 * likely[0]] = 0
    likely = likely / likely.sum()
    likely[likely.cumsum(0) - likely >= 0.85] = 0
    likely = likely / likely.sum()
    tokenizer = load_tokenizer(SMALL_MODELS / "sft")
    expected = {tokenizer.decode([int(token)]): float(share) for token, share in zip(order, likely, strict=True)}
    texts = [result.answer for _, result in saved]
    assert len({text for text, share in expected.items() if share}) > 3, "the test would show nothing"
    for text, share in expected.items():
        error = 5 * (share * (1 - share) / len(texts)) ** 0.5
        assert abs(texts.count(text) / len(texts) - share) <= error, text


def test_an_over_long_prompt_is_an_error_row_with_its_length_and_the_others_are_answered(workspace: Workspace) -> None:
    questions = workspace.ask(["word " * 600, *instructions(3)])
    results = {request.id: result for request, result in answered(engine, workspace.job(), questions)}
    over_long = results.pop("word word word w")
    assert (over_long.finish_reason, over_long.answer, over_long.answer_tokens) == ("error", "", None)
    assert over_long.prompt_tokens and over_long.prompt_tokens > 512
    assert over_long.error == (
        f"the prompt has {over_long.prompt_tokens} tokens and the model takes 512, prompt and answer together"
    )
    assert [result.finish_reason != "error" for result in results.values()] == [True] * 3


@pytest.mark.exhaustive
def test_an_answer_that_the_context_cuts_is_cut_where_it_is_cut_alone(workspace: Workspace) -> None:
    workspace.change(sampling={"max_tokens": 200})
    questions = workspace.ask([f"{number} " + "x " * (150 + 13 * number) for number in range(4)])
    together = answered(engine, workspace.job(), questions)
    alone = [pair for question in questions for pair in answered(engine, workspace.job(), [question])]
    assert texts_of(together) == texts_of(alone)
    cut = [result for _, result in together if result.finish_reason == "length"]
    assert cut
    assert {(result.prompt_tokens or 0) + (result.answer_tokens or 0) for result in cut} == {512}


def test_an_answer_ends_at_its_stop_token_without_showing_it(workspace: Workspace) -> None:
    workspace.change(sampling={"temperature": 0.0, "max_tokens": 200})
    lines = (SMALL_MODELS.parent / "questions.jsonl").read_text().splitlines()[:6]
    questions = workspace.ask([json.loads(line)["instruction"] for line in lines])
    for _, result in answered(engine, workspace.job(), questions):
        assert result.finish_reason == "stop"
        assert "</s>" not in result.answer
        assert "<pad>" not in result.answer
        tokens = len(load_tokenizer(SMALL_MODELS / "sft").encode(result.answer, add_special_tokens=False))
        assert abs(tokens + 1 - (result.answer_tokens or 0)) <= 2, "the padding behind a short answer is not counted"


def test_an_answer_ends_before_its_stop_string(workspace: Workspace) -> None:
    plain = texts_of(answered(engine, workspace.job(), workspace.questions))
    workspace.change(stop=["e", "never said"])
    stopped = answered(engine, workspace.job(), workspace.questions)
    for request, result in stopped:
        whole = plain[request.id, 0]
        assert result.answer == whole.split("e")[0]
        assert "e" not in whole or result.finish_reason == "stop"
    assert any(result.answer_tokens != 24 for _, result in stopped)


def test_a_stop_string_that_is_a_special_token_ends_an_answer_as_a_token(workspace: Workspace, tmp_path: Path) -> None:
    whole = answered(engine, workspace.job(), workspace.questions)
    workspace.change(id=str(with_tokens(tmp_path / "own", (".", FULL_STOP))), stop=["."])
    stopped = answered(engine, workspace.job(), workspace.questions)
    assert [request.token_ids for request, _ in stopped] == [request.token_ids for request, _ in whole]
    met = 0
    for (_, before), (_, after) in zip(whole, stopped, strict=True):
        assert after.answer == before.answer.split(".")[0]
        if "." in before.answer:
            met += 1
            assert after.finish_reason == "stop"
            assert (after.answer_tokens or 0) <= (before.answer_tokens or 0)
    assert met
    without = {request.key for request, _ in whole}
    assert not without & {request.key for request, _ in stopped}, "answers that ran on are not kept"


def test_padding_that_the_model_has_no_row_for_is_not_used(workspace: Workspace, tmp_path: Path) -> None:
    expected = texts_of(answered(engine, workspace.job(), workspace.questions))
    folder = with_tokens(tmp_path / "own", ("[PAD]", 1024))
    change_json(folder / "tokenizer_config.json", pad_token="[PAD]")
    workspace.change(id=str(folder))
    assert texts_of(answered(engine, workspace.job(), workspace.questions)) == expected


def test_the_models_own_generation_settings_change_nothing(workspace: Workspace, own_model: Path) -> None:
    expected = texts_of(answered(engine, workspace.job(), workspace.questions))
    change_json(own_model / "generation_config.json", repetition_penalty=5.0, temperature=0.1, min_new_tokens=20)
    assert texts_of(answered(engine, workspace.job(), workspace.questions)) == expected


def test_a_tokenizer_without_padding_token_serves_as_well(workspace: Workspace, own_model: Path) -> None:
    expected = texts_of(answered(engine, workspace.job(), workspace.questions))
    config = json.loads((own_model / "tokenizer_config.json").read_text())
    (own_model / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "pad_token"}))
    assert texts_of(answered(engine, workspace.job(), workspace.questions)) == expected


def test_what_determines_an_answer_is_in_its_key_and_how_fast_it_is_made_is_not(workspace: Workspace) -> None:
    def keys() -> set[str]:
        return {request.key for request in rendered(engine, workspace.job(), workspace.questions)}

    first = keys()
    workspace.change(execution={"transformers": {"batch_size": 3, "device": "cpu"}})
    assert keys() == first
    seen = set(first)
    for change in ({"transformers": {"dtype": "float64"}}, {"stop": ["x"]}, {"system": "Be brief."}):
        workspace.change(**change)
        assert not keys() & seen, change
        seen |= keys()
    for name, value in {"temperature": 0.5, "top_p": 0.5, "min_p": 0.5, "max_tokens": 5, "seed": 1}.items():
        workspace.change(sampling={name: value})
        assert not keys() & seen, name
        seen |= keys()
    other = workspace.job().resolved.model_copy(update={"content": "other"})
    job = workspace.job()
    requests = rendered(engine, replace(job, resolved=other), workspace.questions)
    assert not {request.key for request in requests} & seen


def test_broken_weights_are_one_line(workspace: Workspace, own_model: Path) -> None:
    (own_model / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(UserError, match=r"the model does not load on cpu \(SafetensorError: .*\); check the model"):
        answered(engine, workspace.job(), workspace.questions)


def test_pickled_weights_are_never_loaded(workspace: Workspace, own_model: Path) -> None:
    (own_model / "model.safetensors").unlink()
    (own_model / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n(S'touch run'\ntR.")
    with pytest.raises(UserError, match="does not load"):
        answered(engine, workspace.job(), workspace.questions)
    assert not Path("run").exists()


def test_a_device_that_is_not_there_is_one_line(workspace: Workspace) -> None:
    workspace.change(execution={"transformers": {"device": "mps"}})
    with pytest.raises(UserError, match="the model does not load on mps"):
        answered(engine, workspace.job(), workspace.questions)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_another_dtype_is_used_and_told(workspace: Workspace, dtype: str) -> None:
    workspace.change(transformers={"dtype": dtype})
    saved = answered(engine, workspace.job(), workspace.questions)
    described = {result.engine.dtype for _, result in saved if result.engine}
    assert described == {dtype}
