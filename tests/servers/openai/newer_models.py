"""An endpoint of models that know `max_tokens` under its newer name only."""

from typing import Any

from aiohttp import web

from tests.servers.openai.server import OpenAIServer


class NewerModels(OpenAIServer):
    """Refuses `max_tokens` in the words of OpenAI's newer models."""

    def _refused(
        self, fault: str | None, body: dict[str, Any], usage: dict[str, int], now: float
    ) -> web.Response | None:
        if "max_tokens" not in body:
            return super()._refused(fault, body, usage, now)
        found = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'"
        error = {"message": f"{found} instead.", "type": "invalid_request_error", "code": "unsupported_parameter"}
        return web.json_response({"error": error}, status=400)
