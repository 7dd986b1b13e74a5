"""The start of a job on SageMaker: what it will cost, what goes up to S3, and what SageMaker is asked for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tuneproof.common.errors import one_line, say, warn
from tuneproof.generation.sagemaker.connection import Connection
from tuneproof.generation.sagemaker.container import SECRET_VARIABLE
from tuneproof.generation.sagemaker.cost import estimate, longest_run_seconds
from tuneproof.generation.sagemaker.errors import NAME_IS_TAKEN, QUOTA, code_of, explained
from tuneproof.generation.sagemaker.inbox import OUTPUT
from tuneproof.generation.sagemaker.jobs import CONTAINER_PROJECT, Jobs, Plan
from tuneproof.generation.sagemaker.storage import Storage
from tuneproof.generation.sagemaker.upload import local_folders
from tuneproof.generation.sagemaker.work import AnyWork
from tuneproof.settings.execution import SageMaker


class Starter:
    """Starts jobs of one model."""

    def __init__(self, work: AnyWork, settings: SageMaker, aws: Connection, storage: Storage, jobs: Jobs) -> None:
        """Takes what is to be done, the way to AWS, and where its data goes."""
        self.work, self.job, self.settings = work, work.job, settings
        self.aws, self.storage, self.jobs = aws, storage, jobs
        self.where = f"model {self.job.resolved.model}"

    def plan(self, name: str, attempt: int, missing: Sequence[Any]) -> Plan:
        """Says what is about to be paid for, and uploads what the job needs. Raises a UserError."""
        types = self.settings.instance_types
        longest_seconds = longest_run_seconds(self.settings, types)  # first: it tells of a cap that cannot be kept
        say(f"{self.where}: {estimate(self.settings, [self.work.size(one) for one in missing], types)}")
        if self.job.resolved.sha and not self.settings.hf_token_secret:
            unset = "execution.sagemaker.hf_token_secret is not set"
            warn(f"{self.where}: {unset}, so the job can only fetch what is public")
        image_uri = self.aws.image_uri(self.settings)
        return Plan(
            name=name,
            model=self.job.resolved.model,
            module=self.work.module,
            image_uri=image_uri,
            instance_types=types,
            longest_seconds=longest_seconds,
            inputs=self.upload(attempt, missing),
            output=self.storage.place(f"{OUTPUT}/{attempt}"),
            environment=self.environment(),
        )

    def upload(self, attempt: int, missing: Sequence[Any]) -> dict[str, str]:
        """Uploads the project folder of an attempt, and local weights once for all attempts; returns the inputs."""
        files = self.work.files(missing)
        self.storage.put({f"input/{attempt}/{name}": content for name, content in files.items()})
        inputs = {"project": self.storage.place(f"input/{attempt}/")}
        for folder, weights in local_folders(self.job.resolved).items():
            say(f"{self.where}: uploading the local {folder} folder to {self.storage.address}")
            self.storage.put_missing(folder, weights)  # the work's name holds their content
            inputs[folder] = self.storage.place(f"{folder}/")
        return inputs

    def environment(self) -> dict[str, str]:
        """The job's environment. Whoever may describe the job reads it, so no secret is in it, only the name of one."""
        variables = {
            "PYTHONPATH": f"{CONTAINER_PROJECT}/scripts",
            "AWS_DEFAULT_REGION": self.aws.region,
            "VLLM_ENABLE_CUDA_COMPATIBILITY": "1",  # the image's CUDA may be newer than the instance's driver
        }
        if self.settings.hf_token_secret:
            variables[SECRET_VARIABLE] = self.settings.hf_token_secret
        return variables

    def create(self, plan: Plan) -> None:
        """Creates the job, on those of its instance types that the quota allows. Raises a UserError."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.jobs.create(plan, self.settings)
        except (BotoCoreError, ClientError) as error:
            # A job of that name is this one: its creation was answered too late, or another process was faster.
            if code_of(error) != NAME_IS_TAKEN:
                allowed = tuple(name for name in plan.instance_types if name not in str(error))
                if code_of(error) != QUOTA or allowed in ((), plan.instance_types):
                    raise explained(error, self.where, "create the job") from None
                warn(f"{self.where}: {one_line(error, 160)}; trying {', '.join(allowed)}")
                longest_seconds = longest_run_seconds(self.settings, allowed)
                self.create(replace(plan, instance_types=allowed, longest_seconds=longest_seconds))
                return
        say(
            f"{self.where}: started the job {plan.name} on {' or '.join(plan.instance_types)} with {plan.image_uri}; "
            f"AWS ends it after {plan.longest_seconds} s at the latest"
        )
