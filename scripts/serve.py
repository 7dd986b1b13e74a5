"""Serves trained evaluators over HTTP: a score for every answer in milliseconds, as a guardrail.

Reads   the evaluators (folders, or by Hub id, at the commit in data/pins.json where one is pinned);
        the token in TUNEPROOF_SERVE_TOKEN, where there is one
Writes  nothing
Run     python scripts/serve.py --evaluator FOLDER_OR_ID [--evaluator ...] [--threshold CRITERION=0.7 ...]
"""

import argparse
import os
from contextlib import suppress

from tuneproof.common.environment import load_secrets, secret
from tuneproof.common.errors import run, say
from tuneproof.endpoint.listening import LOOPBACK, answer_until_stopped, listen, require_packages, require_token
from tuneproof.scoring.serving.app import Service, application
from tuneproof.scoring.serving.desk import Desk
from tuneproof.scoring.serving.work import BoundedWork

TOKEN_VARIABLE = "TUNEPROOF_SERVE_TOKEN"  # noqa: S105 (its name)
GRACE_SECONDS = 30  # for what is being scored when the service is asked to stop


def main() -> None:
    """Loads the evaluators and answers until SIGTERM or Ctrl-C."""
    arguments = parse_arguments()
    require_packages("serve")
    load_secrets()
    token = secret(TOKEN_VARIABLE)
    require_token(arguments.host, token, TOKEN_VARIABLE)
    desk = Desk.opened(arguments.evaluator, dict(arguments.threshold))
    work = BoundedWork(arguments.workers, arguments.queue)
    service = Service(desk, work, token, arguments.timeout, arguments.fail)
    with listen(arguments.host, arguments.port) as listening:
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        print(f"http://{host}:{listening.getsockname()[1]}/", flush=True)
        whom = "those with the token" if token else "this machine alone"
        say(f"serve: {', '.join(desk.evaluators)} for {whom}; end with Ctrl-C")
        with suppress(KeyboardInterrupt):
            answer_until_stopped(application(service), listening, timeout_graceful_shutdown=GRACE_SECONDS)
    work.stop()
    say("serve: stopped")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    evaluator_help = "a trained evaluator's folder or Hub id (owner/name@revision); may be repeated"
    parser.add_argument("--evaluator", action="append", required=True, metavar="FOLDER_OR_ID", help=evaluator_help)
    threshold_help = "the probability from which on an answer passes; may be repeated"
    parser.add_argument(
        "--threshold", action="append", default=[], type=threshold, metavar="CRITERION=P", help=threshold_help
    )
    host_help = f"where to listen (default: this machine alone); beyond it {TOKEN_VARIABLE} must be set"
    parser.add_argument("--host", default=LOOPBACK, help=host_help)
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0 takes a free one")
    parser.add_argument("--timeout", type=positive, default=5.0, metavar="SECONDS", help="for one request (default: 5)")
    fail_help = "when time runs out: open lets every answer pass, closed none (default)"
    parser.add_argument("--fail", choices=("open", "closed"), default="closed", help=fail_help)
    workers = max(1, (os.cpu_count() or 1) - 1)
    workers_help = f"requests that are scored at once (default: all cores but one, here {workers})"
    parser.add_argument("--workers", type=count, default=workers, metavar="N", help=workers_help)
    queue_help = "requests that may wait besides, in a burst (default: 16)"
    parser.add_argument("--queue", type=whole, default=16, metavar="N", help=queue_help)
    return parser.parse_args()


def threshold(text: str) -> tuple[str, float]:
    """A criterion and its threshold."""
    name, _, number = text.partition("=")
    try:
        return name.strip(), float(number)
    except ValueError:
        raise argparse.ArgumentTypeError("give it as accuracy=0.7") from None


def positive(text: str) -> float:
    """A number of seconds."""
    with suppress(ValueError):
        if 0 < (number := float(text)) < float("inf"):
            return number
    raise argparse.ArgumentTypeError("give a number of seconds above 0")


def whole(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("give a whole number, 0 or more")
    return int(text)


def count(text: str) -> int:
    """A whole number from 1."""
    if whole(text) < 1:
        raise argparse.ArgumentTypeError("give a whole number, 1 or more")
    return int(text)


if __name__ == "__main__":
    run(main)
