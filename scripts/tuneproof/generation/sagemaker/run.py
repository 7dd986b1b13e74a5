"""One model's work as a job on SageMaker: the same code in a container, its rows brought into the ledger here.

A job's name derives from what it computes, so that a rerun finds it: one that runs is taken up, of one that ended the
rows are collected, and a new attempt gets only what is still open.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Generic

from tuneproof.common.errors import UserError, say, warn
from tuneproof.common.interrupts import Interrupts
from tuneproof.generation.sagemaker.connection import Connection, connect, require_role
from tuneproof.generation.sagemaker.cost import bill
from tuneproof.generation.sagemaker.errors import AGAIN, Patience, explained, explaining, job_failure
from tuneproof.generation.sagemaker.inbox import Inbox
from tuneproof.generation.sagemaker.jobs import Jobs, JobState, Log, Plan
from tuneproof.generation.sagemaker.start import Starter
from tuneproof.generation.sagemaker.storage import Storage
from tuneproof.generation.sagemaker.work import Asked, Given, Work
from tuneproof.records.keys import canonical_json, sha256_hex
from tuneproof.records.ledger import Ledger
from tuneproof.settings.execution import SageMaker

WORK_DIGITS = 16
LONGEST_MODEL_IN_NAME = 30  # a job's name may have 63 characters in all
NEARLY_ALL = 0.95  # of the longest run, for clocks that differ
AnyInbox = Inbox[Any, Any]
SECONDS_TO_STOP = 180  # AWS gives a container 120 to end


@contextmanager
def start_on_sagemaker(
    work: Work[Asked, Given], settings: SageMaker
) -> Iterator[Callable[[Iterable[Asked], Callable[[Asked, Given], Future[None]]], None]]:
    """Gives what has a work's open rows answered by a job, each saved as it comes.

    Raises a UserError when a package, the role, credentials, the region or the bucket are missing.
    """
    connection = connect(settings)
    require_role(settings)
    with Interrupts() as interrupts:  # without being told of one, a job would go on and be paid for
        yield Remote(work, settings, connection, interrupts).ask


class Remote(Generic[Asked, Given]):
    """One model's work on SageMaker."""

    def __init__(self, work: Work[Asked, Given], settings: SageMaker, aws: Connection, interrupts: Interrupts) -> None:
        self.work, self.job, self.settings, self.connection = work, work.job, settings, aws
        self.interrupts = interrupts
        self.where = f"model {self.job.resolved.model}"
        digits = sha256_hex(canonical_json(work.names))[:WORK_DIGITS]
        model = re.sub("[^a-zA-Z0-9]", "-", self.job.resolved.model)[:LONGEST_MODEL_IN_NAME]
        self.title = f"{model}-{digits}"
        self.storage = Storage(aws.client("s3"), f"{aws.s3_prefix(self.settings)}/{self.title}", self.settings.kms_key)
        self.storage.check()
        self.jobs = Jobs(aws.session, aws.region)
        self.starter = Starter(work, settings, aws, self.storage, self.jobs)
        self.patience = Patience(self.settings.patience_seconds)

    def name(self, attempt: int) -> str:
        """The name of an attempt's job."""
        return f"tuneproof-{self.title}-{attempt}"

    def ask(self, missing: Iterable[Asked], save: Callable[[Asked, Given], Future[None]]) -> None:
        """Saves each answer as it arrives. Raises a UserError when a job fails; nothing is left running then."""
        inbox = Inbox(self.storage, self.work, missing, save)
        attempt, latest = self.latest()
        state = None
        if latest and latest.is_running:
            say(f"{self.where}: the job {latest.name} is running already; taking it up")
            state = self.follow(latest.name, inbox, may_be_stopped=latest.status == "Stopping")
        else:
            self.collect_left(inbox)
        if inbox.open and (state is None or state.status != "Completed"):
            plan = self.starter.plan(self.name(attempt + 1), attempt + 1, list(inbox.open.values()))
            state = self.follow(plan.name, inbox, plan)
        if state and inbox.open:
            self.require_all(state, inbox)
        self.clean()

    def latest(self) -> tuple[int, JobState | None]:
        """The number of the newest attempt and how it stands; 0 and None where there was none."""
        attempt, state = 0, None
        with explaining(self.where, "look for its jobs"):
            while found := self.jobs.describe(self.name(attempt + 1)):
                attempt, state = attempt + 1, found
        return attempt, state

    def collect_left(self, inbox: AnyInbox) -> None:
        """Takes what jobs that have ended put into S3."""
        before = len(inbox.open)
        with explaining(self.storage.address, "collect rows"):
            inbox.collect()
        if len(inbox.open) < before:
            say(f"{self.where}: took {before - len(inbox.open)} rows that an earlier job had put into S3")

    def require_all(self, state: JobState, inbox: AnyInbox) -> None:
        """Raises a UserError where a job has ended well and rows are neither in S3 nor in the ledger by now.

        No further attempt is made by itself: it could cost as much and bring as little.
        """
        with Ledger() as ledger:  # another run of this clone may have followed the same job, and emptied S3
            lost = set(inbox.open) - set(ledger.get_many(inbox.open))
        if lost:
            found = f"the job {state.name} completed, and {len(lost)} rows are not in S3"
            remedy = "see its log above; run again to generate them anew, unless another clone's ledger has them"
            raise UserError(self.where, found, remedy)

    def clean(self) -> None:
        """Removes the job's data from S3, unless it is to be kept."""
        if not self.settings.keep:
            self.storage.remove()

    def follow(self, name: str, inbox: AnyInbox, new: Plan | None = None, may_be_stopped: bool = False) -> JobState:
        """Creates a job that is new, takes rows and shows the log until it ends, and gives how it did.

        Stops it on trouble. Raises a UserError when it fails before every row is there.
        """
        log = Log(self.connection.client("logs"), name, f"{self.job.resolved.model} on SageMaker")
        try:
            if new:
                self.starter.create(new)
            state = self.wait(name, inbox, log)
        except KeyboardInterrupt:
            self.interrupts.forget()
            self.interrupted(name, inbox, log)
            raise
        except BaseException:  # also where only the answer to its start was lost
            self.stop(name)
            raise
        self.say_bill(state)
        if state.status != "Completed" and not may_be_stopped:
            self.ended_badly(state, inbox, log)
        return state

    def ended_badly(self, state: JobState, inbox: AnyInbox, log: Log) -> None:
        """Raises why a job failed; where every row had come before, it is only said."""
        time.sleep(self.settings.poll_seconds)  # the last lines of a log come late
        with self.patience.tried(self.where, "read the log"):
            log.show()
        failure = self.failure(state, log)
        if inbox.open:
            raise failure
        warn(f"{failure.where}: every row had come when {failure.found}")

    def wait(self, name: str, inbox: AnyInbox, log: Log, until: float = float("inf")) -> JobState:
        """The job's state when it has ended and its rows are taken; the latest known when time is over."""
        state = None
        while True:
            self.interrupts.look()
            with self.patience.tried(self.where, "follow the job"):
                state = self.jobs.describe(name)  # first: what is collected after an end is all there is
                inbox.collect()
                log.show()
                if state is None:
                    raise UserError(self.where, f"the job {name} is gone", AGAIN)
                if not state.is_running:
                    return state
            if state and time.monotonic() >= until:
                return state
            time.sleep(self.settings.poll_seconds)

    def interrupted(self, name: str, inbox: AnyInbox, log: Log) -> None:
        """Leaves the job running, or stops it and waits for its last rows."""
        if self.settings.on_interrupt == "leave":
            say(f"{self.where}: the job {name} goes on and is paid for; the same command takes it up again")
        elif self.stop(name):
            say(f"{self.where}: waiting for its last rows; Ctrl-C again does not")
            self.say_bill(self.wait(name, inbox, log, until=time.monotonic() + SECONDS_TO_STOP))
            if not inbox.open:
                self.clean()

    def stop(self, name: str) -> bool:
        """Asks SageMaker to stop a job; whether it does. Says so where it cannot, for then it is paid for."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            stops = self.jobs.stop(name)
        except (BotoCoreError, ClientError) as error:
            reason = explained(error, "AWS", "stop the job").found
            warn(
                f"{self.where}: the job {name} could not be stopped ({reason}); stop it in AWS's console, or it is "
                "paid for until it ends by itself, after execution.sagemaker.max_runtime_seconds at the latest"
            )
            return False
        if stops:
            say(f"{self.where}: stopped the job {name}")
        return stops

    def say_bill(self, state: JobState) -> None:
        """Says what the job cost, once that is known."""
        if state.seconds:
            say(f"{self.where}: the job {state.name}: {bill(self.settings, state.instance_type, state.seconds)}")

    def failure(self, state: JobState, log: Log) -> UserError:
        """Why a job that was not stopped here did not complete."""
        where = f"{self.where}, job {state.name}"
        reason = state.reason
        if state.status == "Stopped" and state.seconds >= NEARLY_ALL * state.longest_seconds:
            reason = f"MaxRuntimeInSeconds {state.longest_seconds} was reached {reason}"
        elif state.status == "Stopped" and not reason:
            reason = f"somebody stopped it, or AWS did after {state.seconds} of {state.longest_seconds} s"
        return job_failure(where, reason, state.message, "\n".join(log.lines))
