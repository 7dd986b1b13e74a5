"""A started engine of vLLM that is asked how likely a text is, and what follows one, in tokens."""

import itertools
from collections.abc import Sequence
from typing import Any

from tuneproof.generation.engines.vllm import Engine
from tuneproof.generation.weights.tokens import job_stop_token_ids
from tuneproof.sources.folders import tokenizer_folder


class VllmModel:
    """A started engine that is asked in tokens, through its adapter where it has one."""

    def __init__(self, engine: Engine, tokenizer: Any) -> None:
        self.engine, self.context_tokens = engine, engine.job.settings.vllm.max_model_len
        self.at_once = engine.at_once
        self._stops = list(job_stop_token_ids(engine.job, tokenizer, tokenizer_folder(engine.job.resolved)))
        self._numbers = itertools.count()

    def run(self, work: Any) -> None:
        """Runs a coroutine in the engine's loop. Raises a UserError when vLLM fails."""
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        try:
            self.engine.runner.run(work)
        except (EngineDeadError, EngineGenerateError) as error:
            raise self.engine.failure(error) from None

    async def log_likelihood(self, token_ids: Sequence[int], start: int) -> tuple[float, bool]:
        """The log-likelihood of the tokens from `start` on, and whether each was the likeliest (its rank is 1)."""
        from vllm import SamplingParams

        final = await self._final(token_ids, SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=1))
        places = zip(token_ids[start:], final.prompt_logprobs[start:], strict=True)
        found = [of_place[token] for token, of_place in places]
        return float(sum(one.logprob for one in found)), all(one.rank == 1 for one in found)

    async def generate(self, token_ids: Sequence[int], wanted: Any) -> str:
        """The text that follows."""
        from vllm import SamplingParams

        sampling = SamplingParams(
            max_tokens=wanted.max_tokens, temperature=wanted.temperature, stop=list(wanted.stop), seed=wanted.seed,
            stop_token_ids=self._stops, **wanted.more,
        )  # fmt: skip
        return str((await self._final(token_ids, sampling)).outputs[0].text)

    async def _final(self, token_ids: Sequence[int], sampling: Any) -> Any:
        final: Any = None
        name = f"benchmark-{next(self._numbers)}"
        async for output in self.engine.engine.generate(
            {"prompt_token_ids": list(token_ids)}, sampling, request_id=name, lora_request=self.engine.adapter
        ):
            final = output
        return final
