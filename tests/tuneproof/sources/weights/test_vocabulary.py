"""What is said of tokens that a model has no row for. The small model's embedding has 1,024 rows."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.made_up.weights import write_safetensors
from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS
from tuneproof.common.errors import UserError
from tuneproof.sources.weights.checks import check_model, local_headers
from tuneproof.sources.weights.vocabulary import vocabulary_of

BEYOND = "beyond the 1024 rows of its embedding"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a small model that a test may spoil."""
    return Path(shutil.copytree(SMALL_MODELS / "sft", tmp_path / "model"))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def add_token(folder: Path, text: str, number: int, special: bool = True) -> None:
    """A token that was added to the tokenizer, while the embedding stayed as it was."""
    file = folder / "tokenizer.json"
    tokens = json.loads(file.read_text())
    tokens["added_tokens"].append({"id": number, "content": text, "special": special})
    file.write_text(json.dumps(tokens))


def check(folder: Path, prompt: Any = "alpaca", *stop: str) -> list[str]:
    return check_model("model sft", folder, prompt, stop, local_headers("model sft", folder))


def test_a_sound_model_gives_no_word(folder: Path) -> None:
    assert check(folder) == check(folder, "chat") == []


def test_a_vocabulary_of_another_size_than_the_weights_stops(folder: Path) -> None:
    change(folder / "config.json", vocab_size=1000)
    with pytest.raises(UserError, match=r"its config.json says vocab_size 1000, and its embedding has 1024 rows"):
        check(folder)
    write_safetensors(folder / "model.safetensors", {"model.embed_tokens.weight": ("F16", [1000, 8])})
    with pytest.raises(UserError, match="its tokenizer has ids up to 1023, and its embedding 1000 rows"):
        check(folder)


def test_an_end_without_a_row_stops_since_no_answer_could_end(folder: Path) -> None:
    add_token(folder, "<|im_end|>", 1024)
    change(folder / "tokenizer_config.json", eos_token="<|im_end|>")
    assert any("ends texts with '<|im_end|>' (1024)" in line for line in check(folder))  # the model's own end remains
    change(folder / "config.json", eos_token_id=[1024])
    change(folder / "generation_config.json", eos_token_id=None)
    with pytest.raises(UserError, match=rf"the token that ends its answers \(eos\) has the id 1024, {BEYOND}; resize"):
        check(folder)


def test_a_beginning_without_a_row_stops(folder: Path) -> None:
    add_token(folder, "<begin>", 2000)
    change(folder / "tokenizer_config.json", bos_token={"content": "<begin>"})
    with pytest.raises(UserError, match=f"the token that begins its texts has the id 2000, {BEYOND}"):
        check(folder)


def test_a_token_of_the_chat_template_without_a_row_stops_where_the_template_is_used(folder: Path) -> None:
    add_token(folder, "<|im_start|>", 1024)
    change(folder / "tokenizer_config.json", chat_template="<|im_start|>{{ messages[0]['content'] }}")
    with pytest.raises(UserError, match=rf"its chat template writes '<\|im_start\|>', a token {BEYOND}"):
        check(folder, "chat")
    (warning,) = check(folder, "alpaca")
    assert "1 tokens of its tokenizer, such as '<|im_start|>' (1024), are beyond" in warning


def test_padding_without_a_row_is_told_and_nothing_more(folder: Path) -> None:
    add_token(folder, "[PAD]", 1024)
    change(folder / "tokenizer_config.json", pad_token="[PAD]")
    change(folder / "config.json", pad_token_id=1024)
    said = f"model sft: its padding token has the id 1024, {BEYOND}; batches are padded with another"
    assert check(folder) == [said]
    change(folder / "config.json", pad_token_id=-1)  # as Llama's first configurations have it
    assert check(folder) == [said]


def test_weights_whose_embedding_is_not_known_are_left_to_the_engine(folder: Path) -> None:
    write_safetensors(folder / "model.safetensors", {"encoder.something.weight": ("F16", [10, 8])})
    change(folder / "config.json", vocab_size=5)
    assert check(folder) == []


def test_tokens_are_found_in_every_file_that_may_name_them(folder: Path) -> None:
    add_token(folder, "<a>", 1030, special=False)
    decoder = {"1031": {"content": "<b>", "special": True}, "x": {}, "1032": 3}
    change(folder / "tokenizer_config.json", added_tokens_decoder=decoder)
    (folder / "added_tokens.json").write_text('{"<c>": 1033, "odd": "text"}')
    vocabulary = vocabulary_of("model sft", folder)
    assert [vocabulary.id_of(text) for text in ("<a>", "<b>", "<c>", "</s>", "odd", None)] == [
        1030,
        1031,
        1033,
        1,
        None,
        None,
    ]
    assert vocabulary.special.keys() == {"<s>", "</s>", "<pad>", "<b>"}


def test_a_stop_string_with_a_special_token_within_is_refused_and_one_alone_passes(folder: Path) -> None:
    assert check(folder, "alpaca", "</s>", "###") == []
    with pytest.raises(
        UserError, match=r"the stop string '</s>\\n' holds the special token '</s>', which no text shows"
    ):
        check(folder, "alpaca", "</s>\n")
    add_token(folder, "<step>", 1000, special=False)
    assert check(folder, "alpaca", "<step> 1") == []  # a token that texts show


@pytest.mark.parametrize("template", [
    [{"name": "rag", "template": "a"}, {"name": "tool_use", "template": "b"}],
    {"rag": "a", "tool_use": "b"},
])  # fmt: skip
def test_named_templates_without_a_default_stop(folder: Path, template: Any) -> None:
    change(folder / "tokenizer_config.json", chat_template=template)
    with pytest.raises(UserError, match="its chat templates are called rag, tool_use, and none of them `default`"):
        check(folder, "chat")
    assert check(folder, "alpaca") == []


def test_the_default_of_named_templates_serves(folder: Path) -> None:
    template = [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]
    change(folder / "tokenizer_config.json", chat_template=template)
    assert check(folder, "chat") == []


@pytest.mark.parametrize("name", ["chat_template.jinja", "chat_template.json"])
def test_a_template_in_a_file_of_its_own_serves(folder: Path, name: str) -> None:
    change(folder / "tokenizer_config.json", chat_template=None)
    with pytest.raises(UserError, match="it has no chat template"):
        check(folder, "chat")
    (folder / name).write_text('{"chat_template": "x"}')
    assert check(folder, "chat") == []
