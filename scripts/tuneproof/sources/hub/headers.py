"""The headers of weight files on the Hub: a few kilobytes of each, and nothing of the weights behind them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tuneproof.sources.hub.calls import UnreachableError, ask, usable_token
from tuneproof.sources.hub.downloads import Resolved, cached_model, file_sizes
from tuneproof.sources.weights.files import weights_of
from tuneproof.sources.weights.safetensors import (
    BROKEN,
    LENGTH_BYTES,
    LONGEST_HEADER_BYTES,
    SUFFIX,
    Header,
    file_header,
    read_header,
    require_whole,
    unreadable,
)

FILES_AT_ONCE = 8


class Stream:
    """The beginning of an answer, read as a file is read."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts, self.held = parts, bytearray()

    def read(self, count: int) -> bytes:
        """The next so many bytes, fewer at the end."""
        while len(self.held) < count and (part := next(self.parts, b"")):
            self.held += part
        found = bytes(self.held[:count])
        del self.held[:count]
        return found


def weight_headers(where: str, resolved: Resolved) -> dict[str, Header]:
    """The header of each safetensors file of a model or adapter; none where the Hub is out of reach.

    Raises a UserError for a broken or cut file, and where the Hub refuses.
    """
    sizes = file_sizes(resolved)
    names = [name for name in weights_of(sizes) if name.endswith(SUFFIX)]
    folder = cached_model(resolved)
    if folder:
        return {name: file_header(where, folder / name) for name in names}
    try:
        headers = dict(zip(names, headers_on_the_hub(where, resolved, names), strict=True))
    except UnreachableError:
        return {}
    for name, header in headers.items():
        require_whole(where, name, header, sizes[name])
    return headers


def headers_on_the_hub(where: str, resolved: Resolved, names: Sequence[str]) -> list[Header]:
    """The headers of files, in their order."""
    with ThreadPoolExecutor(FILES_AT_ONCE) as threads:
        return list(threads.map(partial(header_on_the_hub, where, resolved), names))


def header_on_the_hub(where: str, resolved: Resolved, name: str) -> Header:
    """The header of one file. The connection is closed behind it, also where a proxy sends the whole file."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils._http import get_session, hf_raise_for_status

    token = usable_token()
    url = hf_hub_url(resolved.id, name, revision=resolved.sha)
    headers = {
        **build_hf_headers(token=token), "Accept-Encoding": "identity",
        "Range": f"bytes=0-{LENGTH_BYTES + LONGEST_HEADER_BYTES - 1}",
    }  # fmt: skip

    def read() -> Header:
        with get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response:
            if response.is_error:
                response.read()
            hf_raise_for_status(response)
            try:
                return read_header(Stream(response.iter_bytes()))
            except BROKEN:
                raise unreadable(where, name) from None

    return ask(read, where, resolved.sha, token)
