"""What stands before the service: who may ask, how long a request may be, and how long it may take to arrive."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneproof.common.errors import say
from tuneproof.endpoint.listening import PRIVATE_HEADERS, is_authorised, names_loopback
from tuneproof.scoring.serving.messages import LARGEST_BODY

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

OPEN = ("/", "/docs", "/openapi.json", "/healthz", "/readyz")  # these show no score and take no text
ARRIVAL_SECONDS = 10.0
TOO_LONG = f"the request is longer than {LARGEST_BODY} bytes; send fewer or shorter items"
TOO_SLOW = "the request did not arrive in time"
NO_TOKEN = "send the service's token as `Authorization: Bearer ...`"  # noqa: S105 (it names none)
OTHER_HOST = "ask this machine as localhost, or have the service started with a token"


@dataclass(frozen=True)
class Door:
    """An ASGI middleware (https://asgi.readthedocs.io/en/latest/specs/www.html): it refuses before a body is read.

    `count` is told the path and status of every answer.
    """

    app: Callable[[Scope, Receive, Send], Awaitable[None]]
    token: str | None
    count: Callable[[str, int], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may come in."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_counted(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self.count(scope["path"], message["status"])
            await send(message)

        if refusal := self.refusal(scope):
            await answer(*refusal, scope, receive, send_counted)
            return
        try:
            await self.app(scope, bounded(receive), send_counted)
        except Exception as error:  # a bug: its place is said, never its message, which may hold a text of the request
            say(f"serve: a request failed: {place_of(error)}")
            if not begun:
                await answer(500, "the service failed; its log says where", scope, receive, send_counted)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """The status and reason for a request that is refused by its head alone."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if self.token is None and not names_loopback(headers.get("host", "")):
            return 403, OTHER_HOST
        if self.token and scope["path"] not in OPEN and not is_authorised(headers.get("authorization", ""), self.token):
            return 401, NO_TOKEN
        length = headers.get("content-length", "0")
        return (413, TOO_LONG) if not length.isdecimal() or int(length) > LARGEST_BODY else None


async def answer(status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a problem in one line."""
    from fastapi.responses import JSONResponse

    headers = PRIVATE_HEADERS | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})
    await JSONResponse({"error": reason}, status, headers)(scope, receive, send)


def place_of(error: BaseException) -> str:
    """Where in the code an exception was raised, and of which kind it is."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def bounded(receive: Receive, seconds: float = ARRIVAL_SECONDS) -> Receive:
    """Receives a body up to its limits in bytes and seconds. Raises an HTTPException beyond them."""
    until: float | None = None
    length, complete = 0, False

    async def receive_some() -> MutableMapping[str, Any]:
        from fastapi import HTTPException

        nonlocal until, length, complete
        if complete:
            return await receive()
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds if until is None else until
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, TOO_SLOW) from None
        length += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if length > LARGEST_BODY:
            raise HTTPException(413, TOO_LONG)
        return message

    return receive_some
