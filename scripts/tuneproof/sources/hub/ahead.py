"""Weights that are fetched before they are needed, bounded in rate, so that a killed process can go on where it was.

The official client (huggingface_hub 2.4) begins anew after a kill: what it writes to has a name of its own each time
(`_download_to_tmp_and_move` in its file_download.py). So a file is fetched here with the client's own transfer
(`http_get`, by a range), under its own lock, and given its name in the cache, where the client's download finds it:
https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
"""

import hashlib
import io
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneproof.common.errors import UserError, say
from tuneproof.sources.hub.calls import usable_token
from tuneproof.sources.hub.downloads import (
    Resolved,
    download_model,
    download_small_files,
    file_names,
    told,
)
from tuneproof.sources.weights.files import weights_of

BEGUN = ".begun"  # ends the name of a file that is not whole; the client looks at no such name
SHA256 = re.compile(r"[0-9a-f]{64}")  # the name of a large file; a small one has another and is left to the client
ROOM_TO_LEAVE_BYTES = 1_000_000_000  # for the ledger and the answers, which are paid for


class Pace:
    """How many bytes came, and a wait after each part so that they are no more than so many a second."""

    def __init__(
        self,
        bytes_per_second: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Takes the bound, None for none."""
        self.bytes_per_second, self._clock, self._sleep = bytes_per_second, clock, sleep
        self.bytes = self._since = 0
        self._began = clock()

    def begin(self) -> None:
        """Counts from here on: what was not used before is not made up for."""
        self._began, self._since = self._clock(), 0

    def came(self, count: int) -> None:
        """Counts what came, and waits until it may have."""
        self.bytes += count
        self._since += count
        if self.bytes_per_second is not None:
            self._sleep(max(0.0, self._since / self.bytes_per_second - (self._clock() - self._began)))


class PacedFile(io.FileIO):
    """The end of a file, on disk as it comes, at a pace."""

    def __init__(self, path: Path, pace: Pace) -> None:
        super().__init__(path, "ab")
        self._pace = pace
        pace.begin()

    def write(self, part: bytes) -> int:  # type: ignore[override]  # what the client writes
        """Writes all of a part, then waits."""
        written = 0
        while written < len(part):
            written += super().write(part[written:]) or 0
        self._pace.came(written)
        return written


@dataclass(frozen=True)
class Missing:
    """A weight file that is not in the client's cache: where it comes from, and its place and lock there."""

    name: str
    url: str
    size: int
    blob: Path
    lock: Path

    @property
    def begun(self) -> Path:
        """What there is of it."""
        return self.blob.with_name(self.blob.name + BEGUN)

    @property
    def bytes_left(self) -> int:
        """How much of it is to come."""
        return self.size - (self.begun.stat().st_size if self.begun.exists() else 0)

    def fetch(self, pace: Pace, token: str | None) -> None:
        """Fetches what is left of it; one process at a time, also of those that the client downloads in.

        Raises an OSError where it is not what the Hub names. What was begun and is spoiled is fetched anew.
        """
        from huggingface_hub.utils._fixes import WeakFileLock

        for path in (self.blob, self.lock):
            path.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(self.lock):
            if self.blob.exists():
                return
            if not (self.bytes_left < self.size and self.is_whole_after(pace, token)):
                self.begun.unlink(missing_ok=True)
                if not self.is_whole_after(pace, token):
                    self.begun.unlink()
                    raise OSError(f"{self.name} arrived with other contents than the Hub names")
            self.begun.rename(self.blob)

    def is_whole_after(self, pace: Pace, token: str | None) -> bool:
        """Transfers what is left of it, and says whether it is then what it should be."""
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils._headers import build_hf_headers

        if self.bytes_left >= 0:
            with PacedFile(self.begun, pace) as file:
                http_get(
                    self.url, file, resume_size=file.tell(), headers=build_hf_headers(token=token),
                    expected_size=self.size, displayed_filename=self.name,
                )  # fmt: skip
        with self.begun.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.blob.name


def fetch_weights(resolved: Resolved, pace: Pace, free_bytes: Callable[[Path], int]) -> None:
    """Brings a model's files into the client's cache, weights at a pace.

    `free_bytes` says what a folder's disk has left. Raises a UserError; where there is no room, with nothing begun.
    """
    token = usable_token()
    download_small_files(resolved, token=token)  # the client keeps the list of files with them
    with told(resolved, token):
        files = missing_weights(resolved, token)
        require_plain_http(resolved, files)
        left = sum(file.bytes_left for file in files)
        if left:
            require_room(resolved, left, free_bytes(cache_folder()))
            say(f"model {resolved.id}: {left / 1e6:,.0f} MB of weights are to come")
        for file in files:
            file.fetch(pace, token)
    download_model(resolved, token=token)


def finish_begun(resolved: Resolved) -> None:
    """Fetches what is left of the weights of a model that an ended process had begun; else does nothing."""
    if not any((repository_folder(resolved) / "blobs").glob(f"*{BEGUN}")):
        return
    token = usable_token()
    download_small_files(resolved, token=token)
    with told(resolved, token):
        for file in missing_weights(resolved, token):
            if file.begun.exists():
                file.fetch(Pace(None), token)


def missing_weights(resolved: Resolved, token: str | None) -> list[Missing]:
    """The large weight files that the client's cache lacks, as the Hub describes them."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

    found, folder = [], repository_folder(resolved)
    for name in weights_of(file_names(resolved)):
        if isinstance(try_to_load_from_cache(resolved.id, name, revision=resolved.sha), str):
            continue
        url = hf_hub_url(resolved.id, name, revision=resolved.sha)
        described = get_hf_file_metadata(url, token=token)
        if described.etag and SHA256.fullmatch(described.etag) and described.size:
            lock = cache_folder() / ".locks" / folder.name / f"{described.etag}.lock"
            found.append(Missing(name, url, described.size, folder / "blobs" / described.etag, lock))
    return found


def require_plain_http(resolved: Resolved, files: Sequence[Missing]) -> None:
    """Raises a UserError for a file that the client takes by Xet alone, which can be neither bounded nor resumed."""
    from huggingface_hub import constants

    if any(file.bytes_left == file.size > constants.MAX_HTTP_DOWNLOAD_SIZE for file in files):
        found = f"a file has more than {constants.MAX_HTTP_DOWNLOAD_SIZE / 1e9:.0f} GB, which plain HTTP does not give"
        raise UserError(f"model {resolved.id}", found, "it is downloaded when its turn comes")


def require_room(resolved: Resolved, left: int, free: int) -> None:
    """Raises a UserError where the disk cannot hold what is left of a model and what the run writes meanwhile."""
    if left + ROOM_TO_LEAVE_BYTES > free:
        found = f"{left / 1e6:,.0f} MB are to come and {free / 1e6:,.0f} MB are left for the Hub's cache"
        raise UserError(f"model {resolved.id}", found, "make room in HF_HOME before its turn comes")


def cache_folder() -> Path:
    """The client's cache."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE).expanduser()


def repository_folder(resolved: Resolved) -> Path:
    """The folder of a model in the client's cache."""
    return cache_folder() / f"models--{resolved.id.replace('/', '--')}"
