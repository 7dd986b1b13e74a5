"""Generation as a job on SageMaker: the same generate.py in a container, its rows brought into the ledger here.

A job's name derives from what it computes, so that a rerun finds it: one that runs is taken up, of one that ended the
rows are collected, and a new attempt gets only what is still open.
"""

import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from evaluation.errors import UserError, say, warn
from evaluation.generation import Ask, Job, Request, Save
from evaluation.params import Params
from evaluation.records import Question, canonical_json, sha256_hex
from evaluation.sagemaker_connection import Connection, connect, require_role
from evaluation.sagemaker_cost import bill
from evaluation.sagemaker_errors import AGAIN, Patience, explained, explaining, job_failure
from evaluation.sagemaker_inbox import Inbox
from evaluation.sagemaker_jobs import Jobs, JobState, Log
from evaluation.sagemaker_start import Starter
from evaluation.sagemaker_storage import Storage

WORK_DIGITS = 16
LONGEST_MODEL_IN_NAME = 30  # a job's name may have 63 characters in all
NEARLY_ALL = 0.95  # of the longest run, for clocks that differ
SECONDS_TO_STOP = 180  # AWS gives a container 120 to end


@contextmanager
def start_on_sagemaker(
    job: Job, params: Params, questions: Sequence[Question], requests: Sequence[Request]
) -> Iterator[Ask]:
    """Gives what has requests answered by a job. `requests` are all of the model's, also those that are answered.

    Raises a UserError when a package, the role, credentials, the region or the bucket are missing.
    """
    connection = connect(params.sagemaker)
    require_role(params.sagemaker)
    with ending_as_ctrl_c():
        yield Remote(job, params, questions, requests, connection).ask


@contextmanager
def ending_as_ctrl_c() -> Iterator[None]:
    """Has the end of a CI job (SIGTERM) or of a terminal (SIGHUP) do what Ctrl-C does: a job would go on and be paid.

    A signal that is ignored already, as `nohup` has it, stays so.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Remote:
    """One model's generation on SageMaker."""

    def __init__(
        self, job: Job, params: Params, questions: Sequence[Question], requests: Sequence[Request], aws: Connection
    ) -> None:
        self.job, self.settings, self.requests, self.connection = job, params.sagemaker, requests, aws
        self.where = f"model {job.resolved.model}"
        self.work = sha256_hex(canonical_json(sorted(request.key for request in requests)))[:WORK_DIGITS]
        address = f"{aws.s3_prefix(self.settings)}/{self.work}"
        self.storage = Storage(aws.client("s3"), address, self.settings.kms_key)
        self.storage.check()
        self.jobs = Jobs(aws.session, aws.region)
        self.starter = Starter(job, params, questions, aws, self.storage, self.jobs)
        self.patience = Patience(self.settings.patience_seconds)

    def name(self, attempt: int) -> str:
        """The name of an attempt's job."""
        model = re.sub("[^a-zA-Z0-9]", "-", self.job.resolved.model)[:LONGEST_MODEL_IN_NAME]
        return f"tuneproof-{model}-{self.work}-{attempt}"

    def ask(self, missing: Sequence[Request], save: Save) -> None:
        """Saves each answer as it arrives. Raises a UserError when a job fails; nothing is left running then."""
        inbox = Inbox(self.storage, self.requests, missing, save)
        attempt, latest = self.latest()
        with explaining(self.storage.address, "collect rows"):
            inbox.collect()
        if len(inbox.open) < len(missing):
            say(f"{self.where}: took {len(missing) - len(inbox.open)} rows that an earlier job had put into S3")
        state = None
        if latest and latest.is_running:
            say(f"{self.where}: the job {latest.name} is running already; taking it up")
            state = self.follow(latest.name, inbox, may_be_stopped=latest.status == "Stopping")
        if inbox.open and (state is None or state.status != "Completed"):
            state = self.run(attempt + 1, inbox)
        if state and inbox.open:  # no further attempt by itself: it could cost as much and bring as little
            found = f"the job {state.name} completed, and {len(inbox.open)} of {len(missing)} rows are not in S3"
            remedy = "see its log above; where another process took them, run again: they are in its ledger"
            raise UserError(self.where, found, remedy)
        if not self.settings.keep:
            self.storage.remove()

    def latest(self) -> tuple[int, JobState | None]:
        """The number of the newest attempt and how it stands; 0 and None where there was none."""
        attempt, state = 0, None
        with explaining(self.where, "look for its jobs"):
            while found := self.jobs.describe(self.name(attempt + 1)):
                attempt, state = attempt + 1, found
        return attempt, state

    def run(self, attempt: int, inbox: Inbox) -> JobState:
        """Starts an attempt on what is open, and follows it to its end."""
        name = self.name(attempt)
        try:
            self.starter.start(name, attempt, list(inbox.open.values()))
        except BaseException:  # also where only the answer to its start was lost
            self.stop(name)
            raise
        return self.follow(name, inbox)

    def follow(self, name: str, inbox: Inbox, may_be_stopped: bool = False) -> JobState:
        """Takes rows and shows the log until the job ends, and gives how it did; stops it on trouble.

        Raises a UserError when it fails.
        """
        log = Log(self.connection.client("logs"), name, f"{self.job.resolved.model} on SageMaker")
        try:
            state = self.wait(name, inbox, log)
        except KeyboardInterrupt:
            self.interrupted(name, inbox, log)
            raise
        except BaseException:
            self.stop(name)
            raise
        self.say_bill(state)
        if state.status != "Completed" and not may_be_stopped:
            raise self.failure(state, log)
        return state

    def wait(self, name: str, inbox: Inbox, log: Log, until: float = float("inf")) -> JobState:
        """The job's state when it has ended and its rows are taken; the latest known when time is over."""
        state = None
        while True:
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

    def interrupted(self, name: str, inbox: Inbox, log: Log) -> None:
        """Leaves the job running, or stops it and waits for its last rows."""
        if self.settings.on_interrupt == "leave":
            say(f"{self.where}: the job {name} goes on and is paid for; the same command takes it up again")
        elif self.stop(name):
            self.say_bill(self.wait(name, inbox, log, until=time.monotonic() + SECONDS_TO_STOP))

    def stop(self, name: str) -> bool:
        """Asks SageMaker to stop a job; whether it does. Says so where it cannot, for then it is paid for."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            stops = self.jobs.stop(name)
        except (BotoCoreError, ClientError) as error:
            reason = explained(error, "AWS", "stop the job").found
            warn(
                f"{self.where}: the job {name} could not be stopped ({reason}); stop it in AWS's console, or it is "
                "paid for until it ends by itself, after sagemaker.max_runtime_seconds at the latest"
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
