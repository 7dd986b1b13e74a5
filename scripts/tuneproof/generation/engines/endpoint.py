"""The endpoint engine: a model that is served elsewhere, by any server that speaks OpenAI's chat completions."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tuneproof.common.environment import secret
from tuneproof.common.errors import UserError, warn
from tuneproof.common.windows import work_through, workers_for
from tuneproof.endpoint.access import OPENAI_KEY_VARIABLE, endpoint_address, endpoint_label, is_openai
from tuneproof.endpoint.client import Client
from tuneproof.endpoint.endings import FOR_GOOD, unknown_ending
from tuneproof.endpoint.errors import RequestRejected, TransportFailure
from tuneproof.endpoint.protocol import Completion, is_about_one_prompt, named_setting
from tuneproof.endpoint.transport import Resource
from tuneproof.generation.conversations.messages import Conversation, without_thoughts
from tuneproof.generation.conversations.thoughts import ONLY_THOUGHT
from tuneproof.generation.jobs import Ask, Job, Renderer, Request, Save, answer_key, at_temperature, of_turn, row_seed
from tuneproof.records.keys import content_key
from tuneproof.records.rows import EngineDescription, Result

SAMPLING = ("temperature", "top_p", "min_p", "max_tokens", "seed")
MIN_P = "min_p"  # vLLM and others know it, OpenAI does not
ATTEMPTS_TO_FINISH = 3  # for an answer that ended in no known way or cannot be read: it is billed as any other


def renderer(job: Job) -> Renderer:
    """What renders the requests, keyed by the endpoint's label, the model's name (its content is both) and messages.

    Raises a UserError for a prompt format that a chat endpoint cannot be asked in.
    """
    if job.resolved.prompt != "chat":
        found = f"an endpoint is asked in chat messages, and the prompt format is {job.resolved.prompt}"
        remedy = "set `prompt: chat`, or run the model's weights with engine vllm"
        raise UserError(f"model {job.resolved.model}", found, remedy)
    fixed = answer_key(job)

    def render(conversations: Sequence[Conversation]) -> list[Request]:
        return [request for conversation in conversations for request in requests(job, conversation, fixed)]

    return render


def requests(job: Job, conversation: Conversation, fixed: Mapping[str, Any]) -> Iterator[Request]:
    """A request for each sample of a conversation. `fixed` determines every answer of the job."""
    messages = without_thoughts(conversation.messages(job.model.system))
    prompt = "\n\n".join(message["content"] for message in messages)
    temperature = job.temperature(conversation.question)
    fixed = at_temperature(fixed, temperature)
    identity, run_seed, turn = conversation.question.id, job.settings.sampling.seed, of_turn(conversation)
    for sample in conversation.samples:
        seed = None if run_seed is None else row_seed(run_seed, identity, sample, conversation.turn)
        key = content_key({**fixed, "messages": messages, "seed": seed, "sample": sample})
        own = {"temperature": temperature, **turn}
        yield Request(identity, sample, prompt, key, seed or 0, messages=tuple(messages), **own)


@contextmanager
def start(job: Job) -> Iterator[Ask]:
    """Gives what asks the endpoint, `concurrency` requests at a time. Raises a UserError when its key is missing."""
    require_key(job)

    def ask(requests: Iterable[Request], save: Save) -> None:
        asyncio.run(ask_all(requests, save))

    async def ask_all(requests: Iterable[Request], save: Save) -> None:
        async with client_of(job) as client:
            await Questioner(job, client).ask_all(requests, save)

    yield ask


def client_of(job: Job, resource: Resource = "chat/completions") -> Client:
    """A client of the job's endpoint, to be entered in the event loop that it is used in."""
    variable, execution = key_variable(job), job.execution.endpoint
    return Client(
        endpoint_address(job.model.base_url),
        secret(variable) if variable else None,
        label=endpoint_label(job.model.base_url, job.model.served_as),
        key_variable=variable,
        api_version=job.model.api_version,
        concurrency=execution.concurrency,
        timeout_seconds=execution.timeout_seconds,
        resource=resource,
    )


def require_key(job: Job) -> None:
    """Raises a UserError when the endpoint's key is missing."""
    variable = key_variable(job)
    if variable and not secret(variable):
        found = f"there is no {variable} for {endpoint_label(job.model.base_url, job.model.served_as)}"
        raise UserError(f"model {job.resolved.model}", found, f"set {variable} in the environment or in .env")


def key_variable(job: Job) -> str | None:
    """The variable with the endpoint's key. OpenAI's key goes to OpenAI and nowhere else unless it is named."""
    if job.execution.key_variable or not is_openai(endpoint_address(job.model.base_url)):
        return job.execution.key_variable
    return OPENAI_KEY_VARIABLE


async def finished(client: Client, body: dict[str, Any]) -> Completion:
    """A reply that can be read and ended in a known way; asked for again a few times where it did not.

    Raises a TransportFailure where none did: half an answer is none, and the next run may get a whole one.
    """
    for _ in range(ATTEMPTS_TO_FINISH):
        completion = await client.complete(body)
        problem = completion.problem or unknown_ending(completion.finish_reason)
        if problem is None:
            return completion
    found = f"{ATTEMPTS_TO_FINISH} answers may not be whole, the last because {problem}"
    raise TransportFailure(f"{client.label}: {found}")


class Questioner:
    """Asks one endpoint, and learns on the way whether it knows min_p."""

    def __init__(self, job: Job, client: Client) -> None:
        self.job, self.client = job, client
        self.sends_min_p = bool(job.settings.sampling.min_p)
        self.failures: list[str] = []
        self.asked = 0
        if is_openai(endpoint_address(job.model.base_url)):
            self.leave_out_min_p()

    async def ask_all(self, requests: Iterable[Request], save: Save) -> None:
        """Saves each answer as it arrives. Raises a UserError when the endpoint stops, or left some unanswered."""

        async def answer(request: Request) -> None:
            self.asked += 1
            try:
                saved = save(request, await self.answer(request))
            except TransportFailure as failure:
                self.failures.append(str(failure))
            else:
                await asyncio.wrap_future(saved)

        workers = workers_for(self.job.execution.endpoint.concurrency)
        await work_through(requests, answer, workers, stop_waiting=self.client.stop)
        if self.failures:
            found = f"{len(self.failures)} of {self.asked} got no answer, the last because {self.failures[-1]}"
            raise UserError(f"model {self.job.resolved.model}", found, "run again: what arrived is kept")

    async def answer(self, request: Request) -> Result:
        """One answer, or an error for a prompt that the endpoint will never take."""
        sent_min_p = self.sends_min_p
        try:
            return self.read(await finished(self.client, self.body(request)))
        except RequestRejected as rejection:
            if is_about_one_prompt(rejection.message, rejection.code):
                description = self.description(self.job.resolved.id)
                return Result(answer="", finish_reason="error", error=rejection.message, engine=description)
            if not sent_min_p or MIN_P not in rejection.message:
                named = named_setting(rejection.message, self.body(request))
                remedy = f"correct generate.sampling or models.{self.job.resolved.model}"
                if named in SAMPLING:
                    remedy = f"set generate.sampling.{named} to null, which is not sent, or to what it takes"
                raise UserError(self.client.label, f"it rejects the request: {rejection.message}", remedy) from None
        self.leave_out_min_p()
        return await self.answer(request)

    def leave_out_min_p(self) -> None:
        """Sends min_p no more, and tells of it where it is set."""
        if self.sends_min_p:
            warn(f"{self.client.label} does not know min_p: {self.job.resolved.model} is sampled without it")
        self.sends_min_p = False

    def body(self, request: Request) -> dict[str, Any]:
        """The request as it is sent."""
        sampling = self.job.settings.sampling
        model = self.job.model
        body: dict[str, Any] = {"model": self.job.resolved.id, "messages": list(request.messages)}
        body |= sampling.model_dump(include=set(SAMPLING), exclude={MIN_P}, exclude_none=True)
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if sampling.seed is not None:
            body["seed"] = request.seed
        if self.sends_min_p:
            body[MIN_P] = sampling.min_p
        if model.stop:
            body["stop"] = list(model.stop)
        if model.chat_template_kwargs:
            body["chat_template_kwargs"] = model.chat_template_kwargs
        return body | model.extra_body

    def read(self, reply: Completion) -> Result:
        """A reply as a result; one that was withheld or calls a tool is an error, since no attempt would mend it."""
        error = FOR_GOOD.get(reply.finish_reason or "")
        answer = reply.text or reply.refusal or ""
        if reply.thinking and not answer.strip():
            error = error or ONLY_THOUGHT
        return Result(
            answer="" if error else answer,
            finish_reason="error" if error else "length" if reply.finish_reason == "length" else "stop",
            error=error,
            thinking=reply.thinking,
            prompt_tokens=reply.prompt_tokens,
            answer_tokens=reply.reply_tokens,
            engine=self.description(reply.model or self.job.resolved.id),
        )

    def description(self, model: str) -> EngineDescription:
        """What answered: the model as the endpoint names it, and the endpoint by its label."""
        sampling = self.job.settings.sampling
        lost = (MIN_P,) if sampling.min_p and not self.sends_min_p else ()
        not_sent = (*sampling.not_sent, *lost)
        return EngineDescription(engine="endpoint", version=model, device=self.client.label, not_sent=not_sent)
