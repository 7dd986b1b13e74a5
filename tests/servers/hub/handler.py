"""How the local Hub answers each request of the official client."""

import json
import re
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import yaml

from tests.servers.hub.commits import apply_commit, batch_answer, upload_modes
from tests.servers.hub.repositories import Account, Commit, Fault, File, Kind, Repository, Request

if TYPE_CHECKING:
    from tests.servers.hub.server import HubServer

SECONDS_BETWEEN_PARTS = 0.05  # of a body that is sent slowly
API_PATH = re.compile(
    r"/api/(?P<kind>model|dataset)s/(?P<id>[^/]+(?:/[^/]+)?)"
    r"(?:/(?P<action>revision|tree|refs|auth-check|preupload|commit|paths-info|settings)(?:/(?P<rest>.*))?)?"
)
FILE_PATH = re.compile(r"/(?P<kind>datasets/)?(?P<id>[^/]+(?:/[^/]+)?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
LFS_PATH = re.compile(r"/(?P<kind>datasets/)?(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch")


class RefusalError(Exception):
    """An answer of the Hub that is no success, in the form that the official client knows."""

    def __init__(self, status: int, code: str | None, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.headers = {"X-Error-Message": message, **headers} | ({"X-Error-Code": code} if code else {})


class HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "HubServer"

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Keeps the tests' output clean."""

    # --- The frame of every answer ---

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self.url_path, self.query = unquote(url.path), parse_qs(url.query)
        self.raw_path = url.path
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            self.body = self._read_chunks()
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        self.token = token if scheme == "Bearer" else None
        self.server.requests.append(
            Request(self.command, self.path, self.headers.get("Host") or "", self.token, self.headers.get("Range"))
        )
        try:
            fault = self.server.fault_for(f"{self.command} {self.url_path}")
            if fault is None:
                self._route()
            else:
                self._fail(fault)
        except RefusalError as refusal:
            self._send(refusal.status, json.dumps({"error": refusal.message}).encode(), refusal.headers)

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _fail(self, fault: Fault) -> None:
        if fault.stall:
            self.server.closing.wait()
        if fault.cut or fault.stall:
            self.close_connection = True
            return
        self._send(fault.status or 500, fault.body, fault.headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send_slowly(body)

    def _send_slowly(self, body: bytes) -> None:
        """Sends no more a second than the server gives, which may change on the way."""
        sent = 0
        while sent < len(body):
            rate = self.server.bytes_per_second
            part = len(body) if rate is None else max(1, int(rate * SECONDS_BETWEEN_PARTS))
            self.wfile.write(body[sent : sent + part])
            sent += part
            if rate is not None:
                self.server.closing.wait(part / rate)

    def _json(self, value: object, headers: dict[str, str] | None = None) -> None:
        self._send(200, json.dumps(value).encode(), headers)

    # --- Who asks ---

    def _account(self) -> Account | None:
        if self.token is None:
            return None
        if self.token in self.server.hub.expired_tokens:
            raise RefusalError(401, None, "User Access Token is expired")
        if self.token not in self.server.hub.accounts:
            raise RefusalError(401, None, "Invalid credentials in Authorization header")
        return self.server.hub.accounts[self.token]

    def _repository(self, kind: Kind, repository_id: str) -> Repository:
        """The repository asked for, if this account may know of it."""
        hub, account = self.server.hub, self._account()
        if repository_id in hub.renames:
            target = quote(self.url_path.replace(repository_id, hub.renames[repository_id], 1))
            raise RefusalError(307, None, "Temporary Redirect", Location=target)
        repository = hub.repositories.get((kind, repository_id))
        if repository and repository.disabled:
            raise RefusalError(403, None, "Access to this resource is disabled.")
        hidden = repository and repository.private and not (account and account.belongs_to(repository.namespace))
        if repository is None or hidden:
            if account is None:
                raise RefusalError(401, "RepoNotFound", "Invalid username or password.")
            raise RefusalError(404, "RepoNotFound", "Repository not found")
        return repository

    def _check_may_read(self, repository: Repository) -> None:
        account = self._account()
        granted = account and (repository.id in account.granted or account.belongs_to(repository.namespace))
        if repository.gated and not granted:
            message = f"Access to {repository.kind} {repository.id} is restricted."
            raise RefusalError(403 if account else 401, "GatedRepo", message)

    def _check_may_write(self, namespace: str) -> Account:
        account = self._account()
        if account is None:
            raise RefusalError(401, None, "Invalid username or password.")
        if not account.writes or not account.belongs_to(namespace):
            raise RefusalError(403, None, f"You don't have the rights to write in the namespace {namespace}")
        return account

    # --- What is asked ---

    def _route(self) -> None:
        simple = {
            "/api/whoami-v2": self._whoami,
            "/api/validate-yaml": self._validate_yaml,
            "/api/repos/create": self._create_repository,
        }
        if self.url_path in simple:
            simple[self.url_path]()
        elif self.url_path.startswith("/storage/"):
            self._storage(self.url_path.removeprefix("/storage/"))
        elif found := LFS_PATH.fullmatch(self.url_path):
            self._lfs_batch(found["id"])
        elif found := FILE_PATH.fullmatch(self.raw_path):
            kind: Kind = "dataset" if found["kind"] else "model"
            self._file(self._repository(kind, found["id"]), unquote(found["revision"]), unquote(found["path"]))
        elif found := API_PATH.fullmatch(self.raw_path):
            self._api(found)
        else:
            raise RefusalError(404, None, "Not Found")

    def _api(self, found: re.Match[str]) -> None:
        kind: Kind = "dataset" if found["kind"] == "dataset" else "model"
        repository = self._repository(kind, unquote(found["id"]))
        revision, _, path = (found["rest"] or "").partition("/")
        action = found["action"]
        if action in (None, "revision"):
            self._information(repository, self._commit(repository, unquote(revision) or "main"))
        elif action == "refs":
            heads = [_reference(name, sha) for name, sha in repository.branches.items()]
            self._json({"branches": heads, "converts": [], "tags": []})
        elif action == "auth-check":
            self._check_may_read(repository)
            self._json({})
        elif action == "tree":
            self._tree(repository, self._commit(repository, unquote(revision)), unquote(path))
        elif action == "paths-info":
            self._paths(self._commit(repository, unquote(revision)))
        elif action == "settings":
            self._check_may_write(repository.namespace)
            repository.private = json.loads(self.body).get("visibility") == "private"
            self._json({})
        else:
            self._write(repository, str(action), unquote(revision))

    def _commit(self, repository: Repository, revision: str) -> Commit:
        commit = repository.at(revision)
        if commit is None:
            raise RefusalError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def _information(self, repository: Repository, commit: Commit) -> None:
        siblings: list[dict[str, Any]] = [{"rfilename": path} for path in commit.files]
        if "blobs" in self.query:
            siblings = [
                {"rfilename": path, "size": len(file.content), "blobId": file.blob_id} | _large_file(file, "sha256")
                for path, file in commit.files.items()
            ]
        self._json(
            {
                "_id": "0", "id": repository.id, "author": repository.namespace, "sha": commit.sha,
                "private": repository.private, "gated": "manual" if repository.gated else False, "disabled": False,
                "downloads": 0, "likes": 0, "tags": [], "createdAt": "2024-01-01T00:00:00.000Z",
                "lastModified": "2024-01-01T00:00:00.000Z", "siblings": siblings,
            }
        )  # fmt: skip

    def _tree(self, repository: Repository, commit: Commit, folder: str) -> None:
        self._check_may_read(repository)
        recursive = self.query.get("recursive", ["false"])[0].lower() == "true"
        prefix = f"{folder}/" if folder else ""
        inside = {path: file for path, file in commit.files.items() if path.startswith(prefix)}
        if folder and not inside:
            raise RefusalError(404, "EntryNotFound", f"{folder} does not exist")
        entries = []
        folders = sorted({prefix + path[len(prefix) :].split("/")[0] for path in inside if "/" in path[len(prefix) :]})
        entries += [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
        entries += [_entry(path, file) for path, file in inside.items() if recursive or "/" not in path[len(prefix) :]]
        self._json(entries)

    def _paths(self, commit: Commit) -> None:
        paths = parse_qs(self.body.decode()).get("paths", [])
        self._json([_entry(path, commit.files[path]) for path in paths if path in commit.files])

    def _file(self, repository: Repository, revision: str, path: str) -> None:
        commit = self._commit(repository, revision)
        self._check_may_read(repository)
        file = commit.files.get(path)
        headers = {"X-Repo-Commit": commit.sha}
        if file is None:
            raise RefusalError(404, "EntryNotFound", "Entry not found", **headers)
        headers["ETag"] = f'"{file.etag}"'
        if not file.large:
            return self._bytes(file.content, headers)
        headers |= {"X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.content))}
        return self._send(302, b"", headers | {"Location": f"{self.server.storage_url}/{file.sha256}"})

    def _bytes(self, content: bytes, headers: dict[str, str]) -> None:
        """Sends a file or, as a broken-off download asks for, the rest of it."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        headers = headers | {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        if wanted is None:
            return self._send(200, content, headers)
        first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self._send(206, content[first : last + 1], headers)

    def _storage(self, sha256: str) -> None:
        if self.command == "PUT":
            self.server.hub.sent[File(self.body, large=True).sha256] = self.body
            return self._send(200, b"")
        content = self.server.hub.large_file(sha256)
        if content is None:
            raise RefusalError(404, None, "Not Found")
        return self._bytes(content, {"ETag": f'"{sha256}"'})

    def _whoami(self) -> None:
        account = self._account()
        if account is None:
            raise RefusalError(401, None, "Invalid username or password.")
        role = "write" if account.writes else "read"
        organisations = [{"type": "org", "name": name} for name in account.organisations]
        token = {"type": "access_token", "accessToken": {"displayName": "test", "role": role}}
        self._json({"type": "user", "name": account.name, "orgs": organisations, "auth": token})

    # --- What is written ---

    def _validate_yaml(self) -> None:
        text = json.loads(self.body)["content"]
        front = re.match(r"---\n(.*?\n)---\n", text, re.DOTALL)
        try:
            if front:
                yaml.safe_load(front[1])
        except yaml.YAMLError as error:
            return self._send(400, json.dumps({"errors": [{"message": str(error)}], "warnings": []}).encode())
        return self._json({"errors": [], "warnings": []})

    def _create_repository(self) -> None:
        asked = json.loads(self.body)
        account = self._account()
        namespace = asked.get("organization") or (account.name if account else "")
        self._check_may_write(namespace)
        kind: Kind = asked.get("type") or "model"
        repository_id = f"{namespace}/{asked['name']}"
        prefix = "datasets/" if kind == "dataset" else ""
        answer = {"url": f"{self.server.url}/{prefix}{repository_id}", "name": repository_id}
        if (kind, repository_id) in self.server.hub.repositories:
            body = json.dumps(answer | {"error": "You already created this repo"}).encode()
            return self._send(409, body, {"X-Error-Message": "You already created this repo"})
        first = {".gitattributes": b"*.parquet filter=lfs\n"}
        self.server.hub.add(kind, repository_id, first, private=asked.get("visibility") == "private")
        return self._json(answer)

    def _write(self, repository: Repository, action: str, branch: str) -> None:
        account = self._check_may_write(repository.namespace)
        if action == "preupload":
            return self._json({"files": upload_modes(self._commit(repository, branch), json.loads(self.body)["files"])})
        lines = [json.loads(line) for line in self.body.splitlines() if line]
        try:
            sha = apply_commit(self.server.hub, repository, branch, lines, account.name)
        except ValueError as error:
            raise RefusalError(412, None, str(error)) from error
        prefix = "datasets/" if repository.kind == "dataset" else ""
        commit_url = f"{self.server.url}/{prefix}{repository.id}/commit/{sha}"
        return self._json({"success": True, "commitOid": sha, "commitUrl": commit_url})

    def _lfs_batch(self, repository_id: str) -> None:
        self._check_may_write(repository_id.partition("/")[0])
        objects = json.loads(self.body)["objects"]
        self._json(batch_answer(self.server.hub, objects, self.server.storage_url))


def _large_file(file: File, identifier: str) -> dict[str, Any]:
    if not file.large:
        return {}
    return {"lfs": {identifier: file.sha256, "size": len(file.content), "pointerSize": len(file.pointer)}}


def _entry(path: str, file: File) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(file.content), "oid": file.blob_id} | _large_file(file, "oid")


def _reference(name: str, sha: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/heads/{name}", "targetCommit": sha}
