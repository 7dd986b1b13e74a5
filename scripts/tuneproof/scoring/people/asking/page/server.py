"""The server of the rating page: who may see it and what it sends."""

import hmac
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof.common.errors import UserError, say
from tuneproof.endpoint.listening import answer_until_stopped, inline_page
from tuneproof.scoring.people.asking.session import NotAskedError, Session

if TYPE_CHECKING:
    from fastapi import FastAPI

FOLDER = Path(__file__).parent
LARGEST_BODY = 100_000  # bytes; a note of 10,000 characters fits


def new_token() -> str:
    """What stands in a rater's address and is asked for with every request."""
    return secrets.token_urlsafe(24)


def application(sessions: Mapping[str, Session]) -> "FastAPI":
    """The server's answers. `sessions` are by token; without one of them nothing is shown and nothing is saved."""
    from fastapi import FastAPI, Request
    from fastapi.responses import HTMLResponse, JSONResponse, Response

    page, headers = inline_page(FOLDER)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    def with_session(request: Request, act: Callable[[Session], Any]) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return JSONResponse(*outcome(session_of(sessions, token), act), headers)

    @app.get("/")
    def show_page(request: Request) -> Response:
        if session_of(sessions, request.query_params.get("token", "")) is None:
            refusal = "This address is not valid. Open the one that annotate.py printed last.\n"
            return Response(refusal, 403, headers, media_type="text/plain")
        return HTMLResponse(page, headers=headers)

    @app.get("/api/overview")
    def show_overview(request: Request) -> Response:
        return with_session(request, Session.overview)

    @app.get("/api/items/{key}")
    def show_item(request: Request, key: str) -> Response:
        return with_session(request, lambda session: session.shown(key))

    @app.put("/api/items/{key}")
    async def change_item(request: Request, key: str) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                return JSONResponse({"error": "this is too long"}, 413, headers)
        # On the event loop's own thread: a save takes milliseconds, and so one comes after the other.
        return with_session(request, lambda session: {"state": session.change(key, body)})

    return app


def outcome(session: Session | None, act: Callable[[Session], Any]) -> tuple[Any, int]:
    """What a request is answered, and its HTTP status; without a session nothing is done."""
    if session is None:
        return {"error": "this address is not valid any more; open the one that annotate.py printed"}, 403
    try:
        return act(session), 200
    except NotAskedError as error:
        return {"error": str(error)}, 422
    except UserError as error:
        say(f"error: {error}")
        return {"error": str(error)}, 500


def session_of(sessions: Mapping[str, Session], token: str) -> Session | None:
    """The session of a token; how long it takes does not tell how much of it is right."""
    found = None
    for known, session in sessions.items():
        if hmac.compare_digest(known.encode(), token.encode("utf-8", "surrogatepass")):
            found = session
    return found


def serve(sessions: Mapping[str, Session], listening: socket.socket) -> None:
    """Answers until Ctrl-C. Addresses hold tokens, so that no request is logged."""
    answer_until_stopped(application(sessions), listening, lifespan="off")
