"""The writing half of the local Hub: which files are large, what is already there, and commits."""

import base64
from typing import Any

from tests.servers.hub.repositories import LARGE_FILE_SUFFIXES, Commit, Hub, Repository


def upload_modes(commit: Commit, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each file that a client is about to send: through Git or Git LFS, and what lies there now."""
    answers = []
    for file in files:
        path = file["path"]
        there = commit.files.get(path)
        mode = "lfs" if path.endswith(LARGE_FILE_SUFFIXES) else "regular"
        oid = there.etag if there else None
        answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return answers


def batch_answer(hub: Hub, objects: list[dict[str, Any]], storage_url: str) -> dict[str, Any]:
    """Where to send each large file; nowhere when the storage has it (so that a cut upload goes on where it was)."""
    answers = []
    for wanted in objects:
        answer: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"]}
        if hub.large_file(wanted["oid"]) is None:
            answer["actions"] = {"upload": {"href": f"{storage_url}/{wanted['oid']}", "header": {}}}
        answers.append(answer)
    return {"transfer": "basic", "objects": answers}


def apply_commit(hub: Hub, repository: Repository, branch: str, lines: list[dict[str, Any]], author: str) -> str:
    """Makes the commit that a client describes line by line; raises ValueError for one that cannot be."""
    header = lines[0]["value"]
    parent = header.get("parentCommit")
    if parent and parent != repository.branches.get(branch):
        raise ValueError("A commit has happened since. Please refresh and try again.")
    changes: dict[str, bytes | None] = {}
    for line in lines[1:]:
        key, value = line["key"], line["value"]
        if key == "file":
            changes[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            content = hub.large_file(value["oid"])
            if content is None:
                raise ValueError(f"The large file {value['path']} was never uploaded")
            changes[value["path"]] = content
        elif key == "deletedFile":
            changes[value["path"]] = None
        elif key == "deletedFolder":
            commit = repository.at(branch)
            inside = [path for path in (commit.files if commit else {}) if path.startswith(value["path"])]
            changes.update(dict.fromkeys(inside))
    return repository.commit(changes, header["summary"], branch, author)
