"""What runs on a node of the cluster: one started engine, which takes requests and hands back what has finished.

The engine is asked in a thread of its own, out of an inbox that calls fill, so that it never waits for the driver as
long as that keeps requests in the inbox.
"""

import importlib
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tuneproof.common.errors import UserError
from tuneproof.common.places import local_path, project_root
from tuneproof.generation.jobs import Engine, Job, Request
from tuneproof.records.documents.resolved import ResolvedAdapter, ResolvedModel
from tuneproof.records.rows import Result
from tuneproof.sources.weights.files import identify_local_folder

SECONDS_PER_CALL = 1.0  # after which a call returns also where nothing has finished


class Reply(NamedTuple):
    """What a call gives: whether the engine has started, and what has finished since the last one, by key."""

    has_started: bool
    finished: list[tuple[str, Result]]


class Work(NamedTuple):
    """What a replica is made of: a job whose local folders are absolute, and what these hold on the driver's node."""

    job: Job
    folders: dict[str, str]


class Replica:
    """The actor."""

    def __init__(self, work: Work) -> None:
        """Begins to start the engine; `hello` does not wait for it."""
        self._work, self._changed = work, threading.Condition()
        self._inbox = deque[Request]()
        self._finished: list[tuple[str, Result]] = []
        self._has_started = False
        self._failure: BaseException | None = None
        threading.Thread(target=self._answer, daemon=True).start()

    def hello(self) -> str:
        """The name of the node, once there is one with room."""
        return os.uname().nodename

    def exchange(self, requests: Sequence[Request]) -> Reply:
        """Takes requests, and gives what has finished, as soon as something has. Raises what the engine raised."""
        with self._changed:
            self._inbox.extend(requests)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._finished or self._failure, SECONDS_PER_CALL)
            finished, self._finished = self._finished, []
            if self._failure and not finished:
                raise self._failure
            return Reply(self._has_started, finished)

    def _answer(self) -> None:
        """Starts the engine and has it answer for as long as the actor lives."""
        try:
            settle()
            require_folders(self._work.folders)
            job = self._work.job
            engine: Engine = importlib.import_module(f"tuneproof.generation.engines.{job.resolved.engine}")
            with engine.start(job) as ask:
                self._has_started = True
                while True:
                    with self._changed:
                        self._changed.wait_for(lambda: self._inbox)
                    ask(Taken(self._inbox), self._save)
        except BaseException as failure:  # whatever it is, it is the driver's to judge
            with self._changed:
                self._failure = failure
                self._changed.notify_all()

    def _save(self, request: Request, result: Result) -> Future[None]:
        """Hands a result back: it is on disk when the driver has it, which asks again for what it has not."""
        with self._changed:
            self._finished.append((request.key, result))
            self._changed.notify_all()
        handed_over = Future[None]()
        handed_over.set_result(None)
        return handed_over


class Taken(Iterator[Request]):
    """The requests of an inbox, as many as are there; it may end and go on."""

    def __init__(self, inbox: deque[Request]) -> None:
        self._inbox = inbox

    def __next__(self) -> Request:
        """The next request."""
        try:
            return self._inbox.popleft()
        except IndexError:
            raise StopIteration from None


def settle() -> None:
    """Makes a folder of its own the place of logs: replicas of one node share the one that Ray starts them in."""
    folder = Path(f"replica-{os.getpid()}").resolve()
    folder.mkdir()
    os.environ["DVC_ROOT"] = str(folder)
    os.chdir(folder)


def work_of(job: Job) -> Work:
    """What the nodes are told of a job: local folders by their absolute paths, with their contents' hashes."""
    folders: dict[str, str] = {}

    def absolute(part: ResolvedModel | ResolvedAdapter) -> dict[str, str]:
        if part.sha:
            return {}
        path = str(local_path(part.id).resolve())
        if part is job.resolved or Path(path).is_dir():
            folders[path] = identify_local_folder(path, project_root() / ".cache" / "files.json")
        return {"id": path}

    resolved = job.resolved.model_copy(update=absolute(job.resolved))
    if resolved.adapter:
        resolved = resolved.model_copy(
            update={"adapter": resolved.adapter.model_copy(update=absolute(resolved.adapter))}
        )
    execution = job.execution.model_copy(update={"vllm": job.execution.vllm.model_copy(update={"replicas": 1})})
    return Work(replace(job, resolved=resolved, execution=execution), folders)


def require_folders(folders: dict[str, str]) -> None:
    """Raises a UserError where a node's folder is not there, or holds other weights under the same path."""
    node = os.uname().nodename
    for path, content in folders.items():
        remedy = "put the model on a path that all nodes share, or on the Hub"
        if not Path(path).is_dir():
            raise UserError(f"node {node}", f"there is no folder {path}", remedy)
        if identify_local_folder(path, project_root() / ".cache" / "files.json") != content:
            raise UserError(f"node {node}", f"{path} holds other files than on the machine of the stage", remedy)
