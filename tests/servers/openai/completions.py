"""Text completions by a small real model: for the local server, so that its numbers are those of the weights."""

from pathlib import Path
from typing import Any


class SmallModel:
    """Completes a prompt given as tokens, always by the likeliest one, as OpenAI's completions would."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """The text, with the prompt before it where it is to be repeated, and every token's log-probability."""
        prompt: list[int] = body["prompt"]
        made, text, reason = list[int](), "", "length"
        logprobs = self.logprobs(prompt)
        while len(made) < body["max_tokens"]:
            made.append(int(logprobs[-1].argmax()))
            if made[-1] == self.tokenizer.eos_token_id:
                made, reason = made[:-1], "stop"
                break
            text = self.tokenizer.decode(made)
            ends = [place for stop in body.get("stop", ()) if (place := text.find(stop)) >= 0]
            if ends:
                text, reason = text[: min(ends)], "stop"
                break
            logprobs = self.logprobs([*prompt, *made])
        whole = [*prompt, *made] if body.get("echo") else made
        return {
            "text": self.tokenizer.decode(prompt) + text if body.get("echo") else text,
            "finish_reason": reason,
            "logprobs": self.told(whole) if body.get("logprobs") is not None else None,
        }

    def logprobs(self, token_ids: list[int]) -> Any:
        """The log-probabilities of every token of the vocabulary after each of these."""
        import torch

        with torch.no_grad():
            return self.model(torch.tensor([token_ids])).logits[0].log_softmax(-1)

    def told(self, token_ids: list[int]) -> dict[str, list[Any]]:
        """Tokens with their own and the likeliest one's log-probabilities; the first has none."""
        after, tokens = self.logprobs(token_ids), [self.tokenizer.decode([token]) for token in token_ids]
        own, top = list[float | None]([None]), list[dict[str, float] | None]([None])
        for place, token in enumerate(token_ids[1:]):
            best = int(after[place].argmax())
            own.append(float(after[place, token]))
            top.append({tokens[place + 1]: own[-1] or 0.0, self.tokenizer.decode([best]): float(after[place, best])})
        offsets = [sum(map(len, tokens[:place])) for place in range(len(tokens))]
        return {"tokens": tokens, "token_logprobs": own, "top_logprobs": top, "text_offset": offsets}
