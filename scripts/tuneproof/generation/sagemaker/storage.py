"""The job's data in S3: one folder, written and read by name."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line, warn
from tuneproof.common.progress import Progress
from tuneproof.generation.sagemaker.errors import bucket_elsewhere, explaining

UPLOADS_AT_ONCE = 8
MOST_DELETED_AT_ONCE = 1000  # what S3 takes


class Storage:
    """A folder in S3. Its calls raise boto3's own errors where a caller waits on them, else UserErrors."""

    def __init__(self, client: Any, address: str, kms_key: str | None) -> None:
        """Takes boto3's client, `s3://bucket/folder`, and the key that encrypts what is put there, if any."""
        self.client, self.address = client, address
        self.bucket, _, self.folder = address.removeprefix("s3://").partition("/")
        self.extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}

    def place(self, name: str) -> str:
        """The address of a file or folder within."""
        return f"{self.address}/{name}"

    def check(self) -> None:
        """Raises a UserError where there is no such bucket here, or it may not be listed."""
        with explaining(self.address, "list the job's data"):
            self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.folder}/", MaxKeys=1)
            region = self.client.head_bucket(Bucket=self.bucket).get("BucketRegion")
        if region and region != self.client.meta.region_name:
            raise bucket_elsewhere(self.address, region)

    def put(self, files: Mapping[str, str | Path]) -> None:
        """Uploads small files by name, several at once."""
        with explaining(self.address, "upload the job's files"), ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            list(pool.map(self._put, files, files.values()))

    def put_missing(self, folder: str, files: Mapping[str, Path]) -> None:
        """Uploads the files of a folder but those that are there in the same size, for files that never change.

        One after another: boto3 sends the parts of a large one at once, and ends with Ctrl-C.
        """
        with explaining(self.address, "upload the model"):
            there = {name: size for name, _, size in self.listed(f"{folder}/")}
            sizes = {name: file_size(path) for name, path in files.items()}
            missing = [name for name, size in sizes.items() if there.get(f"{folder}/{name}") != size]
            megabytes = round(sum(sizes[name] for name in missing) / 1e6)
            with Progress(f"upload {folder}", megabytes, "MB") as progress:
                for name in missing:
                    self._put(f"{folder}/{name}", files[name])
                    progress.advance(round(sizes[name] / 1e6))

    def _put(self, name: str, content: str | Path) -> None:
        key = f"{self.folder}/{name}"
        if isinstance(content, str):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content.encode(), **self.extra)
        else:
            self.client.upload_file(str(content), self.bucket, key, ExtraArgs=self.extra or None)

    def listed(self, within: str) -> Iterator[tuple[str, str, int]]:
        """Name, version and size of every file whose name begins so."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.folder}/{within}"
        )
        for page in pages:
            for found in page.get("Contents", []):
                yield found["Key"].removeprefix(f"{self.folder}/"), found["ETag"], found["Size"]

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        content: bytes = self.client.get_object(Bucket=self.bucket, Key=f"{self.folder}/{name}")["Body"].read()
        return content

    def remove(self) -> None:
        """Deletes the folder; where that fails it warns, for nothing is lost by it."""
        try:
            with explaining(self.address, "delete the job's data"):
                names = [name for name, _, _ in self.listed("")]
                for start in range(0, len(names), MOST_DELETED_AT_ONCE):
                    part = [{"Key": f"{self.folder}/{name}"} for name in names[start : start + MOST_DELETED_AT_ONCE]]
                    answer = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": part, "Quiet": True})
                    if refused := answer.get("Errors"):  # in an answer that says 200
                        found = f"{len(refused)} files cannot be deleted ({one_line(refused[0].get('Message'))})"
                        raise UserError(self.address, found, "give yourself the policy in docs/sagemaker.md")
        except UserError as error:
            warn(f"{error.where}: the job's data stays in S3, where you may delete it: {error.found}")


def file_size(path: Path) -> int:
    """A local file's size in bytes. Raises a UserError where it cannot be read."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise UserError(str(path), f"it cannot be read ({error.strerror})", "restore the file") from None
