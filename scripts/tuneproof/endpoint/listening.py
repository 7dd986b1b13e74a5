"""Being asked: what every small server of ours has in common, from its token to its graceful end."""

import base64
import hashlib
import hmac
import ipaddress
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tuneproof.common.errors import UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

LOOPBACK = "127.0.0.1"
INSTALL = "pip install -c requirements/constraints.txt -r requirements/serving.txt"
LAST_PORT = 65535  # a larger number is cut to 16 bits without a word by some systems
WAITING_CONNECTIONS = 128
LEAST_TOKEN_CHARACTERS = 16
PRIVATE_HEADERS = {
    "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
}  # fmt: skip


def require_packages(who: str) -> None:
    """Raises a UserError where the servers' packages are missing."""
    try:
        import fastapi  # noqa: F401 (only whether it is there)
        import prometheus_client  # noqa: F401 (likewise)
        import uvicorn  # noqa: F401 (likewise)
    except ImportError as error:
        raise UserError(who, f"{error.name} is not installed", f"run `{INSTALL}`") from None


def is_loopback(host: str) -> bool:
    """Whether a host, as a name or an address, is this machine alone."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def names_loopback(host_header: str) -> bool:
    """Whether a request's Host header names this machine: a foreign page that rebinds its name sends its own."""
    try:
        return is_loopback(urlsplit(f"//{host_header}").hostname or "")
    except ValueError:
        return False


def require_token(host: str, token: str | None, variable: str) -> None:
    """Raises a UserError where others could ask without a token, or where the token could be guessed or not be sent."""
    how = f"set {variable} to at least {LEAST_TOKEN_CHARACTERS} random characters (`openssl rand -hex 32`)"
    if token is None and not is_loopback(host):
        raise UserError(f"--host {host[:80]}", f"others could ask there, and {variable} is not set", how)
    if token is not None and (
        len(token) < LEAST_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token
    ):
        raise UserError(variable, "it is too short, or holds what no header can", how)


def is_authorised(header: str, token: str) -> bool:
    """Whether an Authorization header bears the token; how long it takes does not tell how much of it is right."""
    scheme, _, given = header.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def inline_page(folder: Path) -> tuple[str, dict[str, str]]:
    """A page from page.html, page.css and page.js, and the headers under which nothing else runs or is fetched."""
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    page = (folder / "page.html").read_text(encoding="utf-8").replace("{{ style }}", style)
    policy = (
        f"default-src 'none'; style-src '{policy_hash(style)}'; script-src '{policy_hash(script)}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page.replace("{{ script }}", script), {"Content-Security-Policy": policy, **PRIVATE_HEADERS}


def policy_hash(text: str) -> str:
    """The hash by which a Content-Security-Policy allows one inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises a UserError where that cannot be."""
    remedy = "name another --host or --port; --port 0 takes a free one"
    if not 0 <= port <= LAST_PORT:
        raise UserError(f"{host[:80]}:{port}", f"ports go from 0 to {LAST_PORT}", remedy)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(found[4][:2], family=found[0], backlog=WAITING_CONNECTIONS)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{host[:80]}:{port}", f"it cannot be listened on ({reason})", remedy) from None
    # Connections inherit it. asyncio sets it only where a socket names its protocol, and without it a response's body
    # waits until the client acknowledges its head: 40 ms for one who asks again and again on one connection.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def answer_until_stopped(app: "FastAPI", listening: socket.socket, **options: Any) -> None:
    """Answers until SIGTERM or Ctrl-C; what has begun is finished first. No request is logged.

    `options` are uvicorn's (https://www.uvicorn.org/settings/). Raises the KeyboardInterrupt that ended it.
    """
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, **options)
    uvicorn.Server(config).run(sockets=[listening])
