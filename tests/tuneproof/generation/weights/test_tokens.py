import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.tuneproof.generation.engines.workspaces import SMALL_MODELS, Workspace, make_workspace
from tuneproof.common.errors import UserError
from tuneproof.generation.conversations.messages import Conversation
from tuneproof.generation.weights.tokens import (
    first_token_id,
    job_stop_token_ids,
    job_tokenizer,
    load_tokenizer,
    prompt_text,
    prompt_token_ids,
    stop_token_ids,
)
from tuneproof.records.rows import Question

BOS, EOS, PAD = 0, 1, 2


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return make_workspace(tmp_path / "workspace", prompt="chat")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a small model that a test may change."""
    return Path(shutil.copytree(SMALL_MODELS / "sft", tmp_path / "model"))


def change_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


WHY = Conversation(Question(id="q", instruction="Why?", reference=None), (0,))


def rendered(tokenizer: Any, text: str) -> list[int]:
    (token_ids,) = prompt_token_ids(tokenizer, [text], first_token_id(tokenizer))
    return token_ids


def test_a_prompt_begins_with_exactly_one_bos_whether_its_text_shows_one_or_not(workspace: Workspace) -> None:
    tokenizer = load_tokenizer(SMALL_MODELS / "sft")
    alpaca = rendered(tokenizer, "Below is an instruction.")
    assert alpaca[0] == BOS
    assert alpaca.count(BOS) == 1
    chat = prompt_text(tokenizer, workspace.job(), WHY)
    assert chat.startswith("<s>")
    assert rendered(tokenizer, chat).count(BOS) == 1


@pytest.mark.parametrize("name", ["PreTrainedTokenizerFast", "TokenizersBackend", "LlamaTokenizerFast"])
def test_the_tokenizer_is_the_one_that_the_library_chooses(folder: Path, name: str) -> None:
    from transformers import AutoTokenizer

    change_json(folder / "tokenizer_config.json", tokenizer_class=name)
    loaded, chosen = load_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    assert type(loaded) is type(chosen)
    for text in ("Why does\n\nthe loss rise?", "<s>Ünïcode </s> and  spaces"):
        assert loaded(text) == chosen(text)
    assert loaded.special_tokens_map == chosen.special_tokens_map


def test_rendering_the_prompts_of_a_llama_loads_no_torch(workspace: Workspace) -> None:
    code = (
        "import sys; from pathlib import Path; from tuneproof.generation.weights.tokens import load_tokenizer; "
        f"load_tokenizer(Path({str(SMALL_MODELS / 'sft')!r}))(['Why?']); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_a_tokenizer_that_begins_texts_with_nothing_gets_no_bos(folder: Path) -> None:
    tokenizer_file = json.loads((folder / "tokenizer.json").read_text())
    tokenizer_file["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_file))
    tokenizer = load_tokenizer(folder)
    assert first_token_id(tokenizer) is None
    assert BOS not in rendered(tokenizer, "Below is an instruction.")


def test_the_chat_prompt_asks_for_an_answer_and_holds_the_system_prompt(workspace: Workspace) -> None:
    workspace.change(system="Be brief.")
    text = prompt_text(load_tokenizer(SMALL_MODELS / "sft"), workspace.job(), WHY)
    assert text.startswith("<s>Be brief.")
    assert "Why?" in text
    assert text.endswith("### Response:\n")


def test_a_template_that_prints_the_date_prints_the_same_one_every_day(workspace: Workspace, folder: Path) -> None:
    template = "{{ strftime_now('%d %b %Y') }} {{ messages[0]['content'] }}"
    change_json(folder / "tokenizer_config.json", chat_template=template)
    assert prompt_text(load_tokenizer(folder), workspace.job(), WHY) == "26 Jul 2024 Why?"


def test_a_template_that_refuses_the_system_prompt_is_one_line(workspace: Workspace, folder: Path) -> None:
    template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system\nrole.') }}{% endif %}"
    change_json(folder / "tokenizer_config.json", chat_template=template)
    workspace.change(system="Be brief.")
    with pytest.raises(UserError) as error:
        prompt_text(load_tokenizer(folder), workspace.job(), WHY)
    assert "its chat template refuses the prompt (TemplateError: No system role.)" in str(error.value)
    assert "correct models.sft.system or .prompt in params.yaml" in str(error.value)


def test_a_model_without_template_cannot_be_asked_in_chat(workspace: Workspace, folder: Path) -> None:
    change_json(folder / "tokenizer_config.json", chat_template=None)
    with pytest.raises(UserError, match=r"its chat template refuses the prompt \(ValueError"):
        prompt_text(load_tokenizer(folder), workspace.job(), WHY)


def test_every_end_that_tokenizer_model_or_settings_name_ends_an_answer(folder: Path) -> None:
    assert stop_token_ids(load_tokenizer(folder), folder) == (EOS,)
    change_json(folder / "config.json", eos_token_id=7)
    change_json(folder / "generation_config.json", eos_token_id=[8, 9])
    assert stop_token_ids(load_tokenizer(folder), folder) == (EOS, 7, 8, 9)
    change_json(folder / "config.json", eos_token_id=None)
    (folder / "generation_config.json").unlink()
    assert stop_token_ids(load_tokenizer(folder), folder) == (EOS,)


def test_a_broken_configuration_is_one_line(folder: Path) -> None:
    (folder / "generation_config.json").write_text("[]")
    with pytest.raises(UserError, match=r"its generation_config.json is no JSON object"):
        stop_token_ids(load_tokenizer(folder), folder)


def test_a_broken_tokenizer_is_one_line(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"its tokenizer does not load .*; add the tokenizer's files to the model"):
        load_tokenizer(folder)


def test_an_adapters_own_template_and_end_are_used_with_the_bases_tokenizer(
    workspace: Workspace, folder: Path, tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    workspace.change(id=str(folder), engine="vllm", adapter=str(adapter))
    job = workspace.job()
    assert prompt_text(job_tokenizer(job, folder), job, WHY).startswith("<s>")
    assert job_stop_token_ids(job, load_tokenizer(folder), folder) == (EOS,)
    (adapter / "chat_template.jinja").write_text("Q: {{ messages[0]['content'] }} A:")
    (adapter / "tokenizer_config.json").write_text('{"eos_token": {"content": "<pad>"}}')
    assert prompt_text(job_tokenizer(job, folder), job, WHY) == "Q: Why? A:"
    assert job_stop_token_ids(job, load_tokenizer(folder), folder) == (EOS, PAD)


def test_what_a_template_takes_besides_is_handed_to_it(workspace: Workspace, folder: Path) -> None:
    change_json(folder / "tokenizer_config.json", chat_template="{% if enable_thinking %}Think. {% endif %}Go.")
    assert prompt_text(load_tokenizer(folder), workspace.job(), WHY) == "Go."
    workspace.change(chat_template_kwargs={"enable_thinking": True})
    assert prompt_text(load_tokenizer(folder), workspace.job(), WHY) == "Think. Go."
