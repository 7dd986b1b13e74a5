"""The project's Git repository: what Git says of it, and the address by which others get it."""

import re
import subprocess
from urllib.parse import urlsplit

from tuneproof.common.places import project_root

GIT_TIMEOUT_SECONDS = 30
DVC_FILE = "dvc.yaml"
USUAL_REMOTE = "origin"
PUBLIC_SCHEMES = ("https", "http", "git", "ssh")  # a folder of this machine leads nobody else anywhere
HERE_ALONE = (".local", ".localhost", ".internal", ".lan", ".home")
# A host's name: one without a dot is an alias of this machine's, and one that begins with a hyphen an option of Git's.
HOST = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+", re.IGNORECASE)
PATH = re.compile(r"/[\w.~-][\w.~/-]*", re.ASCII)
SSH_USER = "git"  # the one that all share; another is a person's
ONE_BY_ALL_WAYS = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")  # by SSH the path is that of HTTPS


def git_output(*arguments: str) -> str | None:
    """What a Git command prints in the project's folder; None where it fails or there is no Git."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=project_root(),
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()


def repository_address() -> str | None:
    """Where the repository can be cloned from: its remote `origin`, or else its only one; None without such.

    The configuration is read as it stands: Git's own answer may have a token put in by `url.<base>.insteadOf`.
    """
    if git_output("ls-files", "--error-unmatch", DVC_FILE) is None:  # the repository is another project's
        return None
    entries = (git_output("config", "--null", "--get-regexp", r"^remote\..*\.url$") or "").split("\0")
    addresses = dict(
        entry.split("\n", 1) for entry in reversed(entries) if "\n" in entry
    )  # the first of several counts
    if len(addresses) > 1:
        addresses = {name: address for name, address in addresses.items() if name == f"remote.{USUAL_REMOTE}.url"}
    return next((public_address(address) for address in addresses.values()), None)


def public_address(address: str) -> str | None:
    """A remote's address as anybody may read it, without user, password, token or query; None for a local one.

    >>> public_address("https://me:secret@example.org/team/project.git?token=secret")
    'https://example.org/team/project.git'

    The well-known hosts have one form, so that clones by HTTPS and by SSH give the same page.

    >>> public_address("git@github.com:team/project.git")
    'https://github.com/team/project'
    """
    if "://" not in address:
        return short_address(address)
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:  # a password with a slash in it leaves a port that is none
        return None
    rest = f"{parts.path}{parts.query}{parts.fragment}"
    if parts.scheme not in PUBLIC_SCHEMES or not is_public(parts.hostname or "", parts.path) or "@" in rest:
        return None
    if parts.hostname in ONE_BY_ALL_WAYS and port is None:
        return usual_address(parts.hostname, parts.path)
    user = f"{SSH_USER}@" if parts.scheme == "ssh" and parts.username == SSH_USER else ""
    return f"{parts.scheme}://{user}{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_public(host: str, path: str) -> bool:
    """Whether others may reach a host of this name, and a path is one and holds nothing else, such as a token."""
    return bool(HOST.fullmatch(host)) and not host.endswith(HERE_ALONE) and bool(PATH.fullmatch(path))


def short_address(address: str) -> str | None:
    """The same of one that is written as scp does, `git@host:path`; None for a local folder."""
    user, _, place = address.rpartition("@")
    host, _, path = place.partition(":")
    if ":" in user or path.startswith("/") or not is_public(host, f"/{path}"):
        return None
    if host in ONE_BY_ALL_WAYS:
        return usual_address(host, path)
    return f"{SSH_USER}@{place}" if user == SSH_USER else place


def usual_address(host: str, path: str) -> str:
    """The one form of an address at a well-known host."""
    return f"https://{host}/{path.strip('/').removesuffix('.git')}"


def folder_in_repository() -> str:
    """Where the project lies within its repository, `""` at its root."""
    return (git_output("rev-parse", "--show-prefix") or "").rstrip("/")
