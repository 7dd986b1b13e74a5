"""Chat templates of three families, written from their public descriptions, and a tokenizer that knows their tokens.

Llama 3.1: https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1 (without its default system message);
ChatML: https://github.com/openai/openai-python/blob/v0.28.1/chatml.md;
Mistral: https://docs.mistral.ai/guides/tokenization (V1: no spaces lost, a system message stands in the first turn).
"""

from pathlib import Path

from tests.tuneproof.generation.engines.workspaces import with_tokens

LLAMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}"
    "{% set chat = messages[1:] %}{% else %}{% set system = '' %}{% set chat = messages %}{% endif %}"
    "{% for message in chat %}{% if message.role == 'user' %}"
    "{{ '[INST] ' + (system if loop.first else '') + message.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + message.content + eos_token }}{% endif %}{% endfor %}"
)
FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {  # a template, and the special tokens that it writes
    "llama": (LLAMA, ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
    "chatml": (CHATML, ("<|im_start|>", "<|im_end|>")),
    "mistral": (MISTRAL, ("[INST]", "[/INST]")),
}


def model_of_family(folder: Path, family: str) -> Path:
    """A small model whose tokenizer has a family's template and special tokens."""
    template, special = FAMILIES[family]
    with_tokens(folder, *((text, 1024 + number) for number, text in enumerate(special)))
    (folder / "chat_template.jinja").write_text(template)
    return folder
