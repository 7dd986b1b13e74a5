"""The Batch API of the local OpenAI server: files, and batches that end as a test says."""

import itertools
import json
from collections.abc import Iterable
from typing import Any, Literal

from aiohttp import web

from tests.servers.openai.faults import CONTENT_FAULTS, canonical
from tests.servers.openai.replies import completion, spoiled, usage_of
from tests.servers.openai.server import OpenAIServer

Outcome = Literal["completed", "half", "rejected", "expired", "failed", "cancelled"]


class BatchServer(OpenAIServer):
    """The n-th batch ends with the n-th outcome (the last one goes on), once it was looked at `looks` times.

    `half`: completed, every second request with an error 500; `rejected`: completed, the first line says that this
    server knows no such parameter; `expired` and `cancelled` bring every second reply;
    `failed` brings none. What is brought is counted as paid.
    """

    def __init__(self, outcomes: Iterable[Outcome] = ("completed",), looks: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.batches: dict[str, dict[str, Any]] = {}
        self._files: dict[str, bytes] = {}
        given = list(outcomes)
        self._outcomes = itertools.chain(given, itertools.repeat(given[-1]))
        self.looks, self._left, self._ends = looks, dict[str, int](), dict[str, Outcome]()

    def application(self) -> web.Application:
        """Adds the routes of files and batches."""
        application = super().application()
        application.router.add_post("/v1/files", self._upload)
        application.router.add_get("/v1/files/{id}/content", self._content)
        application.router.add_post("/v1/batches", self._create)
        application.router.add_get("/v1/batches", self._list)
        application.router.add_get("/v1/batches/{id}", self._retrieve)
        return application

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        uploaded = form["file"]
        assert isinstance(uploaded, web.FileField)
        return web.json_response(self._keep(uploaded.file.read()))

    def _keep(self, content: bytes) -> dict[str, Any]:
        identity = f"file-{len(self._files)}"
        self._files[identity] = content
        about = {"id": identity, "object": "file", "bytes": len(content), "created_at": 0, "filename": "requests.jsonl"}
        return about | {"purpose": "batch", "status": "processed"}

    async def _content(self, request: web.Request) -> web.Response:
        return web.Response(body=self._files[request.match_info["id"]])

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        identity = f"batch-{len(self.batches)}"
        lines = self._files[asked["input_file_id"]].splitlines()
        assert len({json.loads(line)["custom_id"] for line in lines}) == len(lines)
        self.batches[identity] = {
            "id": identity, "object": "batch", "created_at": 0, "status": "in_progress", **asked,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }  # fmt: skip
        self._left[identity], self._ends[identity] = self.looks, next(self._outcomes)
        return web.json_response(self.batches[identity])

    async def _list(self, request: web.Request) -> web.Response:
        newest_first = list(reversed(self.batches.values()))
        return web.json_response({"object": "list", "data": newest_first, "has_more": False})

    async def _retrieve(self, request: web.Request) -> web.Response:
        batch = self.batches[request.match_info["id"]]
        self._left[batch["id"]] -= 1
        if self._left[batch["id"]] < 0 and batch["status"] == "in_progress":
            self._end(batch, self._ends[batch["id"]])
        return web.json_response(batch)

    def _end(self, batch: dict[str, Any], outcome: Outcome) -> None:
        batch["status"] = "completed" if outcome in ("half", "rejected") else outcome
        if outcome == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": "Too many."}]}
            return
        requests = [json.loads(line) for line in self._files[batch["input_file_id"]].splitlines()]
        brought = {"completed": requests, "rejected": requests[1:]}.get(outcome, requests[::2])
        lines = [self._line(one["custom_id"], 200, self._reply(one["body"])) for one in brought]
        if outcome == "rejected":
            unknown = {"error": {"message": "Unknown parameter: 'logprobs'.", "code": "unknown_parameter"}}
            lines.insert(0, self._line(requests[0]["custom_id"], 400, unknown))
        batch["output_file_id"] = self._keep(b"\n".join(lines))["id"]
        if outcome == "half":
            error = {"error": {"message": "The server had an error.", "code": None}}
            missed = [self._line(one["custom_id"], 500, error) for one in requests[1::2]]
            batch["error_file_id"] = self._keep(b"\n".join(missed))["id"]

    def _reply(self, body: dict[str, Any]) -> dict[str, Any]:
        name, content = canonical(body), self.scorer(body)
        self.counts.requests[name] += 1
        self.counts.paid[name] += 1
        fault = self.faults.pick(name, self.counts.requests[name])
        return completion(body, spoiled(fault if fault in CONTENT_FAULTS else None, content), usage_of(body, content))

    @staticmethod
    def _line(key: str, status: int, body: dict[str, Any]) -> bytes:
        response = {"status_code": status, "request_id": f"req-{key}", "body": body}
        line = {"id": f"line-{key}", "custom_id": key, "response": response, "error": None}
        return json.dumps(line, ensure_ascii=False).encode()
