"""A server whose replies end in odd ways, as routers, aborted engines and filters make them end."""

import json
from typing import Any

from aiohttp import web

from tests.servers.openai.server import OpenAIServer


class OddEndings(OpenAIServer):
    """Puts `change` into the choice of the first `times` replies to each request, half of whose text is lost."""

    def __init__(self, change: dict[str, Any], times: int = 10**9, **settings: Any) -> None:
        super().__init__(**settings)
        self.change, self.times = change, times

    async def _answer(self, request: web.Request, body: dict[str, Any], name: str) -> web.StreamResponse:
        response = await super()._answer(request, body, name)
        if self.counts.requests[name] > self.times:
            return response
        assert isinstance(response, web.Response)
        given = json.loads(response.text or "")
        [choice] = given["choices"]
        choice["message"]["content"] = choice["message"]["content"][:20]
        choice |= self.change
        return web.json_response(given)
