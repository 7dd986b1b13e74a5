"""What the local Hub holds: repositories with branches and commits, accounts with tokens, all in memory."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Literal

Kind = Literal["model", "dataset"]

LARGE_FILE_SUFFIXES = (".safetensors", ".bin", ".parquet", ".pth", ".arrow", ".gguf")


@dataclass(frozen=True)
class Account:
    """Who a token belongs to. `writes` is false for a read token; `granted` lists gated repositories."""

    name: str
    organisations: tuple[str, ...] = ()
    writes: bool = True
    granted: tuple[str, ...] = ()

    def belongs_to(self, namespace: str) -> bool:
        return namespace == self.name or namespace in self.organisations


@dataclass(frozen=True)
class File:
    """One file of a commit, with the identifiers that Git and Git LFS give it."""

    content: bytes
    large: bool

    @cached_property  # a file may have hundreds of megabytes
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        lines = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        return lines.encode()

    @property
    def blob_id(self) -> str:
        stored = self.pointer if self.large else self.content
        return hashlib.sha1(b"blob %d\0%s" % (len(stored), stored), usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.blob_id


@dataclass(frozen=True)
class Commit:
    sha: str
    title: str
    files: dict[str, File]
    author: str = ""


@dataclass
class Repository:
    kind: Kind
    id: str
    private: bool = False
    gated: bool = False
    disabled: bool = False
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    _numbers: Callable[[], int] = field(default_factory=lambda: count(1).__next__, repr=False)

    @property
    def namespace(self) -> str:
        return self.id.partition("/")[0]

    def commit(
        self, changes: dict[str, bytes | None], title: str = "A commit", branch: str = "main", author: str = ""
    ) -> str:
        """Adds, replaces or (None) deletes files on a branch; returns the new commit's sha."""
        before = self.at(branch)
        files = dict(before.files) if before else {}
        for path, content in changes.items():
            if content is None:
                del files[path]
            else:
                files[path] = File(content, path.endswith(LARGE_FILE_SUFFIXES))
        sha = hashlib.sha1(f"{self.kind}/{self.id}/{self._numbers()}".encode(), usedforsecurity=False).hexdigest()
        self.commits.append(Commit(sha, title, files, author))
        self.branches[branch] = sha
        return sha

    def at(self, revision: str) -> Commit | None:
        """The commit that a branch or sha means."""
        sha = self.branches.get(revision, revision)
        return next((commit for commit in self.commits if commit.sha == sha), None)


@dataclass
class Fault:
    """What goes wrong for requests whose `METHOD path` matches `pattern`, the next `times` times."""

    pattern: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    stall: bool = False
    cut: bool = False
    times: int = 1_000_000


@dataclass(frozen=True)
class Request:
    """A request as the server saw it; `range` is the part of a file that was asked for."""

    method: str
    path: str
    host: str
    token: str | None
    range: str | None = None


@dataclass
class Hub:
    """Repositories, accounts and renames. `sent` holds uploaded large files by SHA-256, as the Hub's storage does."""

    repositories: dict[tuple[Kind, str], Repository] = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    expired_tokens: set[str] = field(default_factory=set)
    sent: dict[str, bytes] = field(default_factory=dict)

    def add(
        self,
        kind: Kind,
        repository_id: str,
        files: dict[str, bytes],
        *,
        private: bool = False,
        gated: bool = False,
        disabled: bool = False,
    ) -> Repository:
        """Makes a repository with one commit on main."""
        repository = Repository(kind, repository_id, private, gated, disabled)
        repository.commit(dict(files), "First commit")
        self.repositories[kind, repository_id] = repository
        return repository

    def large_file(self, sha256: str) -> bytes | None:
        """The bytes of a large file, from any commit or upload."""
        if sha256 in self.sent:
            return self.sent[sha256]
        for repository in self.repositories.values():
            for commit in repository.commits:
                for file in commit.files.values():
                    if file.large and file.sha256 == sha256:
                        return file.content
        return None
