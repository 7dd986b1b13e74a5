"""What the container of a SageMaker job runs: generate.py itself, or the module that answers a benchmark's requests.

It has what these need around it, and nothing is installed.

It says first what it runs on, fetches the Hub's token by the name of its secret, hands a stop on to generate.py so that
finished rows are handed over, and leaves the reason of a failure where SageMaker looks for it.

    python3 -m tuneproof.generation.sagemaker.container <model> --rows DIRECTORY --message FILE
"""

import argparse
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, say
from tuneproof.common.places import SCRIPTS

PROJECT = SCRIPTS.parent
OPEN_ROWS_FILE = Path("open.jsonl")
SECRET_VARIABLE = "TUNEPROOF_HF_TOKEN_SECRET"  # noqa: S105 (the name of a variable that holds a name)
TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105
MESSAGE_BYTES = 1024  # what SageMaker keeps
ENGINE_LOG_LINES = 40
SIGNAL_SECONDS = 0.5  # how long a stop can wait to be seen, of the two minutes that SageMaker gives


def main() -> None:
    """Runs generate.py, or the module that is named, on the open rows. Exits 1 with a message when it fails."""
    arguments = parse_arguments()
    os.chdir(PROJECT)
    token = None
    try:
        describe_machine()
        check_room()
        token = hub_token()
        what = ["-m", arguments.module] if arguments.module else ["scripts/generate.py"]
        command = [sys.executable, *what, arguments.model]
        command += ["--only", str(OPEN_ROWS_FILE), "--rows", arguments.rows]
        code, reason = run_child(command, token)
    except UserError as error:
        code, reason = 1, f"error: {error}"
        say(reason)
    if code:
        show_engine_log(arguments.model, token)
        leave_message(
            Path(arguments.message), reason or f"{arguments.module or 'generate.py'} ended with exit code {code}"
        )
        sys.exit(1)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="the model's key")
    parser.add_argument("--rows", required=True, help="the directory that is uploaded while the job runs")
    parser.add_argument("--module", help="what answers the open rows, in place of generate.py")
    parser.add_argument("--message", required=True, help="the file for the reason of a failure")
    return parser.parse_args()


def describe_machine() -> None:
    """Logs the GPU with its driver and the versions of Python and vLLM, before anything can go wrong with them."""
    try:
        versions = f"vllm {importlib.metadata.version('vllm')}"
    except importlib.metadata.PackageNotFoundError:
        versions = "no package named vllm"
    say(f"the job runs Python {platform.python_version()}, {versions}")
    try:
        subprocess.run(["nvidia-smi"], check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"nvidia-smi does not run here ({error})")


def check_room() -> None:
    """Raises a UserError where the project's folder, on the volume with room for weights, cannot be written to."""
    if not os.access(PROJECT, os.W_OK):
        remedy = "choose an image that runs as root, as AWS's own do (execution.sagemaker.image_uri)"
        raise UserError("the container", f"{PROJECT} cannot be written to", remedy)


def hub_token() -> str | None:
    """The token for the Hub from the secret that is named in the environment, None where none is named."""
    name = os.environ.get(SECRET_VARIABLE)
    if not name:
        return None
    try:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import get_session
    except ImportError:
        remedy = "choose an image that holds botocore, as AWS's own do (execution.sagemaker.image_uri)"
        raise UserError("the container", "it has no botocore to fetch the Hub's token with", remedy) from None
    try:
        text = get_session().create_client("secretsmanager").get_secret_value(SecretId=name).get("SecretString", "")
    except (BotoCoreError, ClientError) as error:
        remedy = "check the name and that the job's role may read it (docs/sagemaker.md)"
        raise UserError(f"execution.sagemaker.hf_token_secret {name}", f"it cannot be read ({error})", remedy) from None
    return token_in(name, text)


def token_in(name: str, secret: str) -> str:
    """The token of a secret: its whole text, or the field HF_TOKEN of the JSON that AWS's console writes."""
    token: Any = secret.strip()
    if token.startswith("{"):
        with suppress(ValueError):
            token = json.loads(token).get(TOKEN_VARIABLE)
    if not isinstance(token, str) or not token or not token.isprintable() or " " in token:
        remedy = f"store the token alone, or as the field {TOKEN_VARIABLE}"
        raise UserError(f"execution.sagemaker.hf_token_secret {name}", "it holds no token", remedy)
    return token


def run_child(command: list[str], token: str | None) -> tuple[int, str]:
    """Runs a command with the token in its environment alone; returns its exit code and what it said at its end.

    Everything that it prints is passed on, the token never. SIGTERM, with which SageMaker announces a stop, interrupts
    it, so that it ends as on Ctrl-C.
    """
    environment = os.environ | {"HF_HOME": str(PROJECT / ".cache" / "huggingface")}  # on the volume with room for it
    if token:
        environment[TOKEN_VARIABLE] = token
    with (
        ThreadPoolExecutor(1) as pool,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as child,
    ):
        before = signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGINT))
        said = pool.submit(pass_on, child.stdout or (), token)
        while not said.done():  # Python sees a signal that arrives as a wait begins only when the wait ends
            wait([said], timeout=SIGNAL_SECONDS)
        signal.signal(signal.SIGTERM, before)
    return child.returncode, said.result()


def pass_on(lines: Iterable[str], token: str | None) -> str:
    """Prints the lines without the token; returns the error among them, or else the last one that says something."""
    said = ""
    for line in lines:
        shown = without(token, line.rstrip())
        print(shown, flush=True)
        if shown and not said.startswith("error: "):
            said = shown
    return said


def without(token: str | None, text: str) -> str:
    """A text in which the token does not stand."""
    return text.replace(token, "<the token>") if token else text


def show_engine_log(model: str, token: str | None) -> None:
    """Prints the end of vLLM's own log, which is lost with the container."""
    with suppress(OSError):
        lines = (Path(".cache") / f"vllm-{model}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        print(without(token, "\n".join(["the end of vLLM's log:", *lines[-ENGINE_LOG_LINES:]])), flush=True)


def leave_message(path: Path, reason: str) -> None:
    """Writes the reason where SageMaker takes the job's exit message from."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(reason.encode()[:MESSAGE_BYTES])


if __name__ == "__main__":
    main()
