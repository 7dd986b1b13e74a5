"""Prompts as token ids, with exactly one BOS, and the tokens that end an answer. Shared by the engines with weights."""

import itertools
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, shortened
from tuneproof.generation.conversations.messages import Chat, Conversation, with_contents
from tuneproof.generation.conversations.prompts import alpaca_prompt
from tuneproof.generation.jobs import Job, Renderer, Request, answer_key, at_temperature, of_turn, row_seed
from tuneproof.records.keys import content_key
from tuneproof.sources.folders import tokenizer_folder
from tuneproof.sources.weights.small import read_json, token_ids
from tuneproof.sources.weights.templates import chat_template

# Some chat templates print today's date into the prompt. A fixed one keeps a prompt, and so its answer, the same
# tomorrow; this is the date that Llama 3.1's own template falls back to.
TEMPLATE_DATE = datetime(2024, 7, 26)
PLAIN_TOKENIZERS = ("PreTrainedTokenizerFast", "TokenizersBackend")  # one class: its names in releases 4 and 5
Prompt = tuple[Conversation, str, list[int]]  # what is asked, its prompt and the prompt's tokens
FIRST_MARK = 0xF0000  # of the characters that Unicode leaves to private use
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


def prompt_text(tokenizer: Any, job: Job, conversation: Conversation) -> str:
    """The prompt as the model is asked, special tokens of a chat template written out.

    Raises a UserError when the chat template refuses the messages, as some do with a system prompt.
    """
    if job.resolved.prompt == "alpaca":
        return alpaca_text(job, conversation)
    return chat_text(tokenizer, job, conversation.messages(job.model.system))


def alpaca_text(job: Job, conversation: Conversation) -> str:
    """A question in the Alpaca format. Raises a UserError for a conversation, which the format has no place for."""
    question = conversation.question
    if question.is_conversation:
        found = f"`prompt: alpaca` takes one turn only, and question {question.id[:40]} has several messages"
        raise UserError(f"model {job.resolved.model}", found, "set `prompt: chat`, or ask questions of one message")
    return alpaca_prompt(question.instruction, job.model.system, question.input)


def chat_text(tokenizer: Any, job: Job, messages: Chat) -> str:
    """Messages in the model's own chat template. Raises a UserError where it refuses them."""
    from jinja2 import TemplateError

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
    return [begun_with(first, ids) for ids in prompts]


def begun_with(first: int | None, ids: list[int]) -> list[int]:
    """A prompt's tokens that begin with `first`, once."""
    return ids if first is None or ids[:1] == [first] else [first, *ids]


def special_names(tokenizer: Any) -> list[str]:
    """The names of a tokenizer's special tokens, the longest first."""
    names = (token.content for token in tokenizer.added_tokens_decoder.values() if token.special and token.content)
    return sorted(names, key=len, reverse=True)


def conversation_prompt(
    tokenizer: Any, job: Job, conversation: Conversation, special: Sequence[str]
) -> tuple[str, list[int] | None]:
    """A conversation's prompt, and its tokens where a message holds the name of a special token: there it is text.

    A model may write such a name letter by letter; read again as the token, it would end the turn or begin another.
    Until the chat is rendered a character that occurs nowhere in it stands for the name.
    """
    chat = conversation.messages(job.model.system)
    texts = "\n".join(text for message in chat for text in message.values())
    free = (character for number in itertools.count(FIRST_MARK) if (character := chr(number)) not in texts)
    marks = {name: next(free) for name in special if name in texts}
    text = chat_text(tokenizer, job, with_contents(chat, marks))
    if not marks:
        return text, None
    names, written_out = set(marks.values()), str.maketrans({mark: name for name, mark in marks.items()})
    ids, plain = [], ""
    for piece in re.split("(" + "|".join(map(re.escape, special)) + ")", text):
        if names.isdisjoint(piece):
            plain += piece
            continue
        written = piece.translate(written_out)
        ids += tokenizer(plain, add_special_tokens=False)["input_ids"]
        ids += tokenizer(written, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        plain = ""
    ids += tokenizer(plain, add_special_tokens=False)["input_ids"]
    return text.translate(written_out), ids


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


def rendering(job: Job, folder: Path, **determines: Any) -> Renderer:
    """What renders for an engine with weights: the prompt's token ids, the row's seed and the ledger key."""
    tokenizer = job_tokenizer(job, folder)
    first, special = first_token_id(tokenizer), special_names(tokenizer)
    stops = job_stop_token_ids(job, tokenizer, folder)

    def render(conversations: Sequence[Conversation]) -> list[Request]:
        prompts = rendered(job, conversations, tokenizer, first, special)
        return list(keyed_requests(job, prompts, stop_token_ids=stops, **determines))

    return render


def rendered(
    job: Job, conversations: Sequence[Conversation], tokenizer: Any, first: int | None, special: Sequence[str]
) -> Iterator[Prompt]:
    """Each conversation with its prompt and the prompt's tokens, begun with `first`; `special` are names of tokens."""
    for start in range(0, len(conversations), PROMPTS_AT_ONCE):
        part = conversations[start : start + PROMPTS_AT_ONCE]
        prompts = [prompt_with_tokens(tokenizer, job, conversation, special) for conversation in part]
        plain = iter(prompt_token_ids(tokenizer, [text for text, ids in prompts if ids is None], first))
        for conversation, (text, ids) in zip(part, prompts, strict=True):
            yield conversation, text, next(plain) if ids is None else begun_with(first, ids)


def prompt_with_tokens(
    tokenizer: Any, job: Job, conversation: Conversation, special: Sequence[str]
) -> tuple[str, list[int] | None]:
    """A prompt, with its tokens where it cannot be tokenized as any text is."""
    if conversation.is_one_message or job.resolved.prompt == "alpaca":
        return prompt_text(tokenizer, job, conversation), None
    return conversation_prompt(tokenizer, job, conversation, special)


def keyed_requests(job: Job, prompts: Iterable[Prompt], **determines: Any) -> Iterator[Request]:
    """A request for each prompt and sample, with its row's seed and ledger key."""
    fixed = answer_key(job, **determines)
    for conversation, text, ids in prompts:
        packed, identity, turn = array("i", ids), conversation.question.id, of_turn(conversation)
        temperature = job.temperature(conversation.question)
        for sample in conversation.samples:
            seed = row_seed(job.sampling.seed, identity, sample, conversation.turn)
            key = content_key({**at_temperature(fixed, temperature), "prompt": ids, "seed": seed, "sample": sample})
            yield Request(identity, sample, text, key, seed, packed, temperature=temperature, **turn)
