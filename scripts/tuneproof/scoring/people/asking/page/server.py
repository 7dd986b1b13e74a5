"""The server of the rating page: who may see it, what it sends, and where it listens."""

import base64
import hashlib
import hmac
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof.common.errors import UserError, say
from tuneproof.scoring.people.asking.session import NotAskedError, Session

if TYPE_CHECKING:
    from fastapi import FastAPI

FOLDER = Path(__file__).parent
INSTALL = "pip install -c requirements/constraints.txt -r requirements/serving.txt"
LARGEST_BODY = 100_000  # bytes; a note of 10,000 characters fits
WAITING_CONNECTIONS = 128


def new_token() -> str:
    """What stands in a rater's address and is asked for with every request."""
    return secrets.token_urlsafe(24)


def require_packages() -> None:
    """Raises a UserError where the server's packages are missing."""
    try:
        import fastapi  # noqa: F401 (only whether it is there)
        import uvicorn  # noqa: F401 (likewise)
    except ImportError:
        raise UserError("annotate", "fastapi and uvicorn are not installed", f"run `{INSTALL}`") from None


def static_page() -> tuple[str, dict[str, str]]:
    """The page, and the headers that go with it: nothing runs in it and nothing is fetched but what is its own."""
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    page = (FOLDER / "page.html").read_text(encoding="utf-8").replace("{{ style }}", style)
    policy = (
        f"default-src 'none'; style-src '{policy_hash(style)}'; script-src '{policy_hash(script)}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page.replace("{{ script }}", script), {"Content-Security-Policy": policy}


def policy_hash(text: str) -> str:
    """The hash by which a Content-Security-Policy allows one inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def application(sessions: Mapping[str, Session]) -> "FastAPI":
    """The server's answers. `sessions` are by token; without one of them nothing is shown and nothing is saved."""
    from fastapi import FastAPI, Request
    from fastapi.responses import HTMLResponse, JSONResponse, Response

    page, headers = static_page()
    headers |= {
        "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    def answer(value: Any, status: int = 200) -> Response:
        return JSONResponse(value, status, headers)

    def with_session(request: Request, act: Callable[[Session], Any]) -> Response:
        session = session_of(sessions, request.headers.get("authorization", "").removeprefix("Bearer "))
        if session is None:
            return answer({"error": "this address is not valid any more; open the one that annotate.py printed"}, 403)
        try:
            return answer(act(session))
        except NotAskedError as error:
            return answer({"error": str(error)}, 422)
        except UserError as error:
            say(f"error: {error}")
            return answer({"error": str(error)}, 500)

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
                return answer({"error": "this is too long"}, 413)
        # On the event loop's own thread: a save takes milliseconds, and so one comes after the other.
        return with_session(request, lambda session: {"state": session.change(key, body)})

    return app


def session_of(sessions: Mapping[str, Session], token: str) -> Session | None:
    """The session of a token; how long it takes does not tell how much of it is right."""
    found = None
    for known, session in sessions.items():
        if hmac.compare_digest(known.encode(), token.encode("utf-8", "surrogatepass")):
            found = session
    return found


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises a UserError where that cannot be."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(found[4][:2], family=found[0], backlog=WAITING_CONNECTIONS)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        remedy = "name another --host or --port; --port 0 takes a free one"
        raise UserError(f"{host[:80]}:{port}", f"it cannot be listened on ({reason})", remedy) from None


def serve(sessions: Mapping[str, Session], listening: socket.socket) -> None:
    """Answers until Ctrl-C. Addresses hold tokens, so that no request is logged."""
    import uvicorn

    config = uvicorn.Config(application(sessions), log_level="warning", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])
