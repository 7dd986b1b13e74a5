"""LoRA adapters: what vLLM can load of them, and whether one fits its base model.

vLLM loads an adapter of another width without a word and applies the part that fits (seen with 0.32), so that is
checked here, from the headers of the weights alone. What it refuses is listed in its PEFTHelper:
https://github.com/vllm-project/vllm/blob/v0.32.0/vllm/lora/peft_helper.py
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.sources.weights.safetensors import Header
from tuneproof.sources.weights.small import read_json
from tuneproof.sources.weights.templates import chat_template
from tuneproof.sources.weights.vocabulary import vocabulary_of

CONFIG_FILE = "adapter_config.json"
PREFIX = "base_model.model."
DOWN = ".lora_A.weight"
LOADED = (DOWN, ".lora_B.weight", ".lora_embedding_A", ".lora_embedding_B")
EMBEDDING_OF_THE_BASE = (".embed_tokens.base_layer.weight", ".lm_head.base_layer.weight")  # passed over by vLLM
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM's max_lora_rank may be
HARMLESS_INITIALISATIONS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")  # the base's weights stay as they are
NOT_LOADED = {  # settings of PEFT's LoraConfig that change what an adapter means
    "use_dora": "DoRA", "lora_bias": "a bias", "alora_invocation_tokens": "an activated LoRA",
    "layer_replication": "repeated layers", "use_bdlora": "a block-diagonal LoRA", "use_qalora": "a QALoRA",
}  # fmt: skip
MERGE = "merge it into the base (PEFT's merge_and_unload), and name the merged model as `id`"


def lora_rank(where: str, adapter: Path) -> int:
    """The largest rank of an adapter: single modules may have ranks of their own. Raises a UserError for none."""
    config = read_json(where, adapter / CONFIG_FILE)
    own = config.get("rank_pattern")
    given = [config.get("r"), *(own.values() if isinstance(own, dict) else ())]
    ranks = [rank for rank in given if isinstance(rank, int) and rank > 0]
    if ranks != given:
        raise UserError(where, f"its {CONFIG_FILE} gives the ranks {one_line(given, 60)}", "save the adapter again")
    return max(ranks)


def engine_rank(where: str, adapter: Path) -> int:
    """The rank that vLLM must be started with. Raises a UserError where it takes none so large."""
    needed = lora_rank(where, adapter)
    for rank in RANKS:
        if rank >= needed:
            return rank
    raise UserError(where, f"its rank is {needed}, and vLLM takes {RANKS[-1]} at most", MERGE)


def check_adapter(where: str, folder: Path, headers: Mapping[str, Header]) -> None:
    """Raises a UserError where a folder holds no LoRA adapter, or one that vLLM does not load as it was trained."""
    config = read_json(where, folder / CONFIG_FILE)
    if str(config.get("peft_type", "")).upper() != "LORA":
        raise UserError(where, f"its adapter is of type {str(config.get('peft_type'))[:40]}", "name a LoRA adapter")
    engine_rank(where, folder)
    for feature in features_not_loaded(config):
        raise UserError(where, f"it is {feature}, which vLLM does not load", MERGE)
    names = [name for header in headers.values() for name in header.tensors]
    for name in names:
        if not name.endswith((*LOADED, *EMBEDDING_OF_THE_BASE)):
            raise UserError(
                where, f"it holds {one_line(name.removeprefix(PREFIX), 80)}, which vLLM does not load", MERGE
            )


def features_not_loaded(config: Mapping[str, Any]) -> Iterator[str]:
    """What of an adapter's configuration vLLM refuses, in words."""
    for name, words in NOT_LOADED.items():
        if config.get(name):
            yield f"an adapter with {words} ({name})"
    if config.get("bias", "none") != "none":
        yield f"an adapter with a bias (bias: {one_line(config['bias'], 20)})"
    whole = config.get("modules_to_save")
    if whole:
        yield f"an adapter with whole modules beside it (modules_to_save: {one_line(whole, 60)})"
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start.lower() not in HARMLESS_INITIALISATIONS:
        yield f"an adapter that changes the base's own weights (init_lora_weights: {one_line(start, 20)})"


def check_adapter_fits(where: str, adapter: Mapping[str, Header], base: Mapping[str, Header]) -> None:
    """Raises a UserError when a matrix of the adapter has another width than the base's weight that it belongs to."""
    widths = {name: shape for header in base.values() for name, shape in header.plain_shapes()}
    for name, shape in (pair for header in adapter.values() for pair in header.plain_shapes()):
        module, _, kind = name.removeprefix(PREFIX).rpartition(".lora_")
        whole = widths.get(f"{module}.weight")
        expected = whole and (whole[-1] if name.endswith(DOWN) else whole[0])
        found = shape[-1] if name.endswith(DOWN) else shape[0]
        if name.endswith(".weight") and kind and expected and found != expected:
            fault = f"its adapter does not fit the model: {module[:80]} is {expected} wide, and the adapter {found}"
            raise UserError(where, fault, "name the base model that the adapter was trained on")


def strange_modules(adapter: Mapping[str, Header], base: Mapping[str, Header]) -> list[str]:
    """The last names of the modules that an adapter changes and no weight of the base has."""
    known = {part for header in base.values() for name in header.tensors for part in name.split(".")}
    changed = {
        name.partition(".lora_")[0].removesuffix(".base_layer").rpartition(".")[2]
        for header in adapter.values()
        for name in header.tensors
    }
    return sorted(changed - known - {"lm_head"}) if known else []  # a head may be the embedding once more


def differences(where: str, adapter: Path, base: Path, base_id: str, prompt: str) -> Iterator[str]:
    """What an adapter's small files say that differs from the base: another base's name, tokens, a template."""
    named = read_json(where, adapter / CONFIG_FILE).get("base_model_name_or_path")
    if isinstance(named, str) and named and last_name(named) != last_name(base_id):
        yield f"{where}: it was trained on {one_line(named, 80)}, and is asked over {one_line(base_id, 80)}"
    mine, theirs = vocabulary_of(where, adapter), vocabulary_of(where, base)
    own = {**mine.plain, **mine.added}
    known = {**theirs.plain, **theirs.added}
    others = [text for text, number in own.items() if known.get(text) != number]
    if others:
        yield (
            f"{where}: it brings a tokenizer with {len(others)} tokens that the base's does not have so, such as "
            f"{one_line(others[0], 40)!r}; the base's is used, so merge it into the base if it was trained with them"
        )
    template = chat_template(where, adapter)
    if prompt == "chat" and template and template != chat_template(where, base):
        yield f"{where}: it brings a chat template of its own, which is used in place of the base's"


def last_name(identity: str) -> str:
    """The last part of a Hub id or path, as it is compared."""
    return identity.rstrip("/").rpartition("/")[2].casefold()
