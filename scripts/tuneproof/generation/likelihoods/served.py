"""A served model that is asked how likely a text is, and what follows one, in tokens or in messages."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tuneproof.common.errors import UserError
from tuneproof.common.windows import workers_for
from tuneproof.endpoint.client import Client
from tuneproof.endpoint.errors import EndpointStopped, RequestRejected, TransportFailure
from tuneproof.endpoint.protocol import Completion, is_about_one_prompt
from tuneproof.endpoint.transport import Resource
from tuneproof.generation.engines.endpoint import client_of, finished, require_key
from tuneproof.generation.jobs import Job
from tuneproof.sources.folders import tokenizer_folder
from tuneproof.sources.weights.small import read_json

LENGTHS = ("n_positions", "max_position_embeddings", "n_ctx")  # of a context, in a model's config.json
NO_LENGTH = 1_000_000  # from which on a tokenizer's own length stands for none
MOST_STOPS = 4  # that OpenAI takes; the harness's own rules find the others in the text
PROBE = "Which tokens are these?"
SERVE = "serve its weights with vLLM, which has them, or leave out tasks that compare likelihoods"


class ServedModel:
    """A model behind an endpoint: asked in tokens through completions, or in messages through chat completions."""

    def __init__(self, job: Job, client: Client, runner: asyncio.Runner, context_tokens: int) -> None:
        self.client, self.run, self.context_tokens = client, runner.run, context_tokens
        self.at_once = workers_for(job.execution.endpoint.concurrency)
        self._fixed = {"model": job.resolved.id, **job.model.extra_body}
        self._template = {"chat_template_kwargs": kwargs} if (kwargs := job.model.chat_template_kwargs) else {}

    async def log_likelihood(self, token_ids: Sequence[int], start: int) -> tuple[float, bool]:
        """The log-likelihood of the tokens from `start` on, and whether none was likelier than any of them.

        Raises a UserError where the endpoint does not give these.
        """
        found = (await self.repeated(token_ids))[start:]
        return (
            float(sum(one["logprob"] for one in found)),
            all(one["logprob"] >= max(other["logprob"] for other in one["top_logprobs"]) for one in found),
        )

    async def repeated(self, token_ids: Sequence[int]) -> list[dict[str, Any]]:
        """A prompt's tokens as the endpoint repeats them, with the log-probabilities of all but the first."""
        asked = {"prompt": list(token_ids), "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
        found = ((await self._reply(asked)).logprobs or [])[: len(token_ids)]
        if len(found) < len(token_ids) or not all(one["top_logprobs"] for one in found[1:]):
            raise UserError(self.client.label, "it gives no log-probabilities of a prompt", SERVE)
        return found

    async def generate(self, token_ids: Sequence[int], wanted: Any) -> str:
        """The text that follows."""
        return await self._text({"prompt": list(token_ids)}, wanted)

    async def answer(self, messages: Sequence[dict[str, str]], wanted: Any) -> str:
        """The answer to a chat."""
        return await self._text({"messages": list(messages), **self._template}, wanted)

    async def _text(self, asked: dict[str, Any], wanted: Any) -> str:
        stop = {"stop": list(wanted.stop[:MOST_STOPS])} if wanted.stop else {}
        seed = {"seed": wanted.seed} if wanted.temperature else {}  # strict servers know none
        sampling = {"max_tokens": wanted.max_tokens, "temperature": wanted.temperature}
        return (await self._reply(asked | sampling | seed | stop | wanted.more)).text or ""

    async def _reply(self, asked: dict[str, Any]) -> Completion:
        try:
            return await finished(self.client, asked | self._fixed)
        except RequestRejected as rejection:
            remedy = "leave the task out, or correct what its requests hold"
            if is_about_one_prompt(rejection.message, rejection.code):
                remedy = "let the server take longer prompts, or leave the task out"
            raise UserError(self.client.label, f"it rejects a request: {rejection.message}", remedy) from None


@contextmanager
def served(job: Job, resource: Resource, context_tokens: int = 0) -> Iterator[ServedModel]:
    """A job's endpoint, ready to be asked. Raises a UserError when its key is missing."""
    require_key(job)
    with asyncio.Runner() as runner:
        client = client_of(job, resource)
        runner.run(client.__aenter__())
        try:
            yield ServedModel(job, client, runner, context_tokens)
        finally:
            runner.run(client.__aexit__(None, None, None))


def check_likelihoods(job: Job, tokenizer: Any) -> None:
    """Asks an endpoint for the log-probabilities of a few tokens, before anything else is paid for.

    Raises a UserError where it has no completions, repeats no prompt, or cuts texts otherwise than the tokenizer.
    """
    token_ids = tokenizer.encode(PROBE)
    with served(job, "completions") as model:
        found: list[dict[str, Any]] = []

        async def ask() -> None:
            found.extend(await model.repeated(token_ids))

        try:
            model.run(ask())
        except EndpointStopped as stopped:
            if "404" not in stopped.found:
                raise
            found_there = f"asked for completions of a text, {stopped.found}"
            raise UserError(stopped.where, f"{found_there}: a chat alone has no log-probabilities", SERVE) from None
        except TransportFailure as failure:
            remedy = "check that it runs and its base_url, then run again"
            raise UserError(f"model {job.resolved.model}", str(failure), remedy) from None
    said = "".join(str(one["token"]) for one in found[1:])
    known = "".join(tokenizer.decode([token]) for token in token_ids[1:])
    if bare(said) != bare(known):
        where, name = f"models.{job.resolved.model}.tokenizer", job.model.tokenizer
        raise UserError(where, f"{model.client.label} cuts texts otherwise than {name}", "name the served model's own")


def bare(text: str) -> str:
    """A text without spaces, however a server writes those of its tokens."""
    return "".join(text.replace("Ġ", " ").replace("\u2581", " ").split())


def served_context_tokens(job: Job, tokenizer: Any) -> int:
    """How many tokens a served model reads, as its tokenizer's folder says. Raises a UserError where it does not."""
    folder = tokenizer_folder(job.resolved.tokenizer or job.resolved)
    config = read_json(str(folder), folder / "config.json", required=False)
    lengths = [config.get(name) for name in LENGTHS] + [tokenizer.model_max_length]
    known = [length for length in lengths if isinstance(length, int) and 0 < length < NO_LENGTH]
    if not known:
        found = "neither config.json nor the tokenizer says how many tokens the model reads"
        raise UserError(str(folder), found, "write model_max_length into tokenizer_config.json")
    return known[0]
