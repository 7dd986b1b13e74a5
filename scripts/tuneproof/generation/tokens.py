"""Prompts as token ids, with exactly one BOS, and the tokens that end an answer. Shared by the engines with weights."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, shortened
from tuneproof.generation.jobs import Job, Request, answer_key, row_seed
from tuneproof.generation.prompts import alpaca_prompt, chat_messages
from tuneproof.records.keys import content_key
from tuneproof.records.rows import Question
from tuneproof.sources.folders import tokenizer_folder
from tuneproof.sources.weights.small import read_json, token_ids
from tuneproof.sources.weights.templates import chat_template

# Some chat templates print today's date into the prompt. A fixed one keeps a prompt, and so its answer, the same
# tomorrow; this is the date that Llama 3.1's own template falls back to.
TEMPLATE_DATE = datetime(2024, 7, 26)
PLAIN_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend")  # one class: its names in releases 4 and 5
Prompt = tuple[Question, str, list[int]]  # a question, its prompt and the prompt's tokens
PROMPTS_AT_ONCE = 250  # to be tokenized: many are fast, all would fill memory


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder. Raises a UserError when there is none that loads."""
    try:
        from transformers.utils import logging
    except ImportError:
        found, remedy = "its prompts need the package transformers", "`pip install -r requirements/transformers.txt`"
        raise UserError(str(folder), f"{found}, which is not installed", f"install it with {remedy}") from None
    logging.set_verbosity_error()
    try:
        return tokenizer_class(folder).from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the library raises whatever its many tokenizers raise
        found = f"its tokenizer does not load ({shortened(error)})"
        raise UserError(str(folder), found, "add the tokenizer's files to the model") from None


def tokenizer_class(folder: Path) -> Any:
    """The library's class for a model folder, as AutoTokenizer chooses it.

    For most Llamas it is known without AutoTokenizer, which loads PyTorch first: that takes seconds, and what prepares
    a job on SageMaker needs none.
    """
    import transformers

    where = str(folder)
    model = read_json(where, folder / "config.json", required=False)
    tokenizer = read_json(where, folder / "tokenizer_config.json", required=False)
    is_plain = tokenizer.get("tokenizer_class") in PLAIN_TOKENIZERS and "auto_map" not in tokenizer
    if model.get("model_type") == "llama" and is_plain and (folder / "tokenizer.json").is_file():
        return transformers.PreTrainedTokenizerFast
    return transformers.AutoTokenizer


def prompt_text(tokenizer: Any, job: Job, question: Question) -> str:
    """The prompt as the model is asked, special tokens of a chat template written out.

    Raises a UserError when the chat template refuses the messages, as some do with a system prompt.
    """
    if job.resolved.prompt == "alpaca":
        return alpaca_prompt(question.instruction, job.model.system, question.input)
    from jinja2 import TemplateError

    messages = chat_messages(question.asked, job.model.system)
    try:
        text = tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=True,
            **{"strftime_now": TEMPLATE_DATE.strftime, **job.model.chat_template_kwargs},
        )
    except (TemplateError, ValueError, TypeError) as error:  # ValueError: there is no template
        found = f"its chat template refuses the prompt ({shortened(error)})"
        remedy = f"correct models.{job.resolved.model}.system or .prompt in params.yaml"
        raise UserError(job.resolved.id, found, remedy) from None
    return str(text)


def first_token_id(tokenizer: Any) -> int | None:
    """The BOS where the tokenizer begins its texts with one; the same model was trained on texts that begin so."""
    bos: int | None = tokenizer.bos_token_id
    return bos if bos is not None and tokenizer("a")["input_ids"][:1] == [bos] else None


def prompt_token_ids(tokenizer: Any, texts: Sequence[str], first: int | None) -> list[list[int]]:
    """The tokens of prompts, begun with `first` exactly once: a chat template may have written it out already.

    In one call: one for each prompt takes several times as long.
    """
    if not texts:
        return []
    prompts: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return [ids if first is None or ids[:1] == [first] else [first, *ids] for ids in prompts]


def stop_token_ids(tokenizer: Any, folder: Path, stop: Sequence[str] = ()) -> tuple[int, ...]:
    """Every token that ends an answer: the tokenizer's, the model's, the generation configuration's.

    Also each stop string that is a special token: no text shows one, so that it can only be met as a token.
    """
    found = {tokenizer.eos_token_id} if tokenizer.eos_token_id is not None else set()
    for name in ("config.json", "generation_config.json"):
        found.update(eos_ids(folder / name))
    if stop:
        special = {token.content: number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        found.update(special[text] for text in stop if text in special)
    return tuple(sorted(found))


def job_tokenizer(job: Job, folder: Path) -> Any:
    """The tokenizer of a job's model, with the chat template of its adapter where that was trained with its own."""
    tokenizer = load_tokenizer(folder)
    if job.resolved.adapter and job.resolved.prompt == "chat":
        template = chat_template(f"adapter of {job.resolved.model}", tokenizer_folder(job.resolved.adapter))
        tokenizer.chat_template = template or tokenizer.chat_template
    return tokenizer


def job_stop_token_ids(job: Job, tokenizer: Any, folder: Path) -> tuple[int, ...]:
    """Every token that ends an answer of a job: those of its model and stop strings, and the end of its adapter."""
    found = set(stop_token_ids(tokenizer, folder, job.model.stop))
    if job.resolved.adapter:
        own = tokenizer_folder(job.resolved.adapter)
        token = read_json(str(own), own / "tokenizer_config.json", required=False).get("eos_token")
        text = token.get("content") if isinstance(token, dict) else token
        found |= {number for name, number in tokenizer.get_vocab().items() if name == text}
    return tuple(sorted(found))


def eos_ids(path: Path) -> set[int]:
    """The `eos_token_id` of one configuration file, which may be missing. Raises a UserError for a broken file."""
    return token_ids(read_json(str(path.parent), path, required=False).get("eos_token_id"))


def render_requests(job: Job, questions: Sequence[Question], folder: Path, **determines: Any) -> Iterator[Request]:
    """The requests of an engine with weights: the rendered prompt's token ids, the row's seed and the ledger key."""
    tokenizer = job_tokenizer(job, folder)
    prompts = rendered(job, questions, tokenizer)
    return keyed_requests(job, prompts, stop_token_ids=job_stop_token_ids(job, tokenizer, folder), **determines)


def rendered(job: Job, questions: Sequence[Question], tokenizer: Any) -> Iterator[Prompt]:
    """Each question with its prompt and the prompt's tokens."""
    first = first_token_id(tokenizer)
    for start in range(0, len(questions), PROMPTS_AT_ONCE):
        part = questions[start : start + PROMPTS_AT_ONCE]
        texts = [prompt_text(tokenizer, job, question) for question in part]
        yield from zip(part, texts, prompt_token_ids(tokenizer, texts, first), strict=True)


def keyed_requests(job: Job, prompts: Iterable[Prompt], **determines: Any) -> Iterator[Request]:
    """A request for each prompt and sample, with its row's seed and ledger key."""
    fixed = answer_key(job, **determines)
    for question, text, ids in prompts:
        packed = array("i", ids)
        for sample in range(job.samples):
            seed = row_seed(job.sampling.seed, question.id, sample)
            key = content_key({**fixed, "prompt": ids, "seed": seed, "sample": sample})
            yield Request(id=question.id, sample=sample, prompt=text, key=key, seed=seed, token_ids=packed)
