"""One HTTP request to an endpoint: the OpenAI SDK's address, headers and HTTP client, its faults in one line."""

import asyncio
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

from tuneproof.common.errors import UserError, one_line
from tuneproof.endpoint.access import OPENAI_KEY_VARIABLE, endpoint_address
from tuneproof.settings.base import API_VERSION

if TYPE_CHECKING:
    from httpx2 import URL, AsyncClient, Response

Resource = Literal["chat/completions", "completions"]  # of an endpoint, below its address

LONGEST_BODY_BYTES = 32 * 2**20  # a reply of 8,000 tokens with 20 alternatives each has less
PACKED = ("gzip", "x-gzip", "deflate")
UNPACKED = ("identity", "", *PACKED)
GZIP_OR_ZLIB = zlib.MAX_WBITS | 32  # zlib finds out which of them it is
OPENAI_ADDRESS = "https://api.openai.com/v1"
CONNECT_SECONDS = 10.0
LATE_SECONDS = 1.0  # for reading what had come by a request's deadline: the loop may have stood still until then
LOOKS_LIKE_A_KEY = re.compile(r"\bsk-[\w*.-]+")
PLACEHOLDER_KEY = "none"  # what servers that need no key are sent


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fault(Exception):  # noqa: N818 - names what happened, not that it is an error
    """What kept a request from being answered this time; the text says it in one line."""

    def __init__(self, found: str, headers: Mapping[str, str] | None = None, *, nothing_listens: bool = False) -> None:
        super().__init__(found)
        self.found, self.headers, self.nothing_listens = found, headers or {}, nothing_listens


class Transport:
    """Connections to one resource of an endpoint; an async context manager, used within one event loop.

    Raises a UserError for an address or a key that cannot be used, `label` being the endpoint's name in it.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        *,
        label: str,
        key_variable: str | None,
        concurrency: int,
        timeout_seconds: float,
        api_version: str | None = None,
        resource: Resource = "chat/completions",
    ) -> None:
        self._label, self._resource = label, resource
        self._base_url = endpoint_address(base_url) or OPENAI_ADDRESS
        self._api_key = _checked_key(self._base_url, api_key, label, key_variable)
        self._query = {API_VERSION: api_version} if api_version else {}
        self._concurrency, self._timeout_seconds = concurrency, timeout_seconds
        self._http: AsyncClient | None = None
        self._address: URL | str = ""
        self._headers: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        import httpx2
        import openai

        limits = httpx2.Limits(max_connections=self._concurrency, max_keepalive_connections=self._concurrency)
        timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)  # the whole request's time is kept in post
        try:
            self._address = httpx2.URL(f"{self._base_url}/{self._resource}", params=self._query or None)
            self._http = openai.DefaultAioHttpClient(limits=limits, timeout=timeout, follow_redirects=False)
            sdk = openai.AsyncOpenAI(base_url=self._base_url, api_key=self._api_key, http_client=self._http)
        except (httpx2.InvalidURL, ValueError, OSError) as error:
            found = f"its client cannot be set up ({self.quoted(str(error))})"
            remedy = "check the base_url, and the variables for proxies and certificates in the environment"
            raise UserError(self._label, found, remedy) from None
        # Where there is an api-version a key is sent in the header that Azure reads, and in no other.
        key = {"api-key": self._api_key} if self._query else sdk.auth_headers
        headers = sdk.default_headers | key | {"Accept-Encoding": "identity"}
        if self._query:
            headers.pop("Authorization", None)
        # Some are marks of what is to be left out.
        self._headers = {name: value for name, value in headers.items() if isinstance(value, str)}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http:
            await self._http.aclose()
            self._http = None

    async def post(self, content: bytes) -> Answer:
        """Sends one request's body. Raises a Fault when no answer came, in time or at all.

        An answer that is here wins over a deadline that has passed, and over being cancelled: it is paid for.
        """
        import aiohttp
        import httpx2

        if self._http is None:
            raise RuntimeError("a Transport is used within `async with`")
        # Not through AsyncOpenAI's own methods: they take twice as long as all the rest of sending a request.
        request = asyncio.ensure_future(self._received(self._http, content))
        try:
            done, _ = await asyncio.wait({request}, timeout=self._timeout_seconds)
            if not done:
                await asyncio.wait({request}, timeout=LATE_SECONDS)
        except asyncio.CancelledError:
            if not request.done() or request.exception():
                request.cancel()
                raise
        if not request.done():
            request.cancel()
            raise Fault(f"no answer within {self._timeout_seconds:g} s")
        try:
            return request.result()
        # The transport lets some of aiohttp's errors through unwrapped; a ValueError comes from text that is no header.
        except (httpx2.HTTPError, aiohttp.ClientError, OSError, ValueError) as error:
            connecting = aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
            nothing_listens = isinstance(error.__cause__, connecting)
            raise Fault(self.quoted(str(error) or type(error).__name__), nothing_listens=nothing_listens) from None

    async def _received(self, http: "AsyncClient", content: bytes) -> Answer:
        request = http.build_request("POST", self._address, content=content, headers=self._headers)
        response = await http.send(request, stream=True)
        try:
            return Answer(response.status_code, response.headers, await read_body(response))
        finally:
            await response.aclose()

    def quoted(self, text: str) -> str:
        """Makes a server's text fit for an error line: no key, one line, not long."""
        return one_line(LOOKS_LIKE_A_KEY.sub("***", text.replace(self._api_key, "***")))


async def read_body(response: "Response") -> bytes:
    """An answer's body, unpacked; a note in its place where it is longer than any reply or packed strangely.

    No compression is asked for; what comes so all the same is unpacked no further than the bound, since a kilobyte can
    hold a megabyte. It is no Fault, for what came with status 200 is billed.
    """
    body = bytearray()
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in UNPACKED:
        return f"(the body is packed as '{one_line(coding, 40)}', which was not asked for)".encode()
    unpack = zlib.decompressobj(GZIP_OR_ZLIB).decompress if coding in PACKED else None
    async for part in response.aiter_raw():
        try:
            body += unpack(part, LONGEST_BODY_BYTES + 1) if unpack else part
        except zlib.error:
            return f"(the body is no {coding})".encode()
        if len(body) > LONGEST_BODY_BYTES:
            return f"(the body is longer than {LONGEST_BODY_BYTES // 2**20} MiB)".encode()
    return bytes(body)


def _checked_key(base_url: str, api_key: str | None, label: str, variable: str | None) -> str:
    if not api_key:
        if urlsplit(base_url).hostname == urlsplit(OPENAI_ADDRESS).hostname:
            remedy = f"set {variable or OPENAI_KEY_VARIABLE} in the environment or in .env"
            raise UserError(label, "there is no API key", remedy)
        return PLACEHOLDER_KEY
    if not re.fullmatch(r"[!-~]+", api_key):  # an HTTP library's own complaint would show the key
        found = "the API key holds spaces, line ends or other odd characters"
        raise UserError(label, found, f"set {variable or OPENAI_KEY_VARIABLE} anew")
    return api_key
