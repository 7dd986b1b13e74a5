"""Times the judge stage against a local server: beside a raw aiohttp client, the ideal schedule, faults and limits.

Run     PYTHONPATH=scripts:. python tests/measurements/judging.py [--answers 1000] [--only NAME ...] [--repeat 1]
Prints one Markdown table row per case. Server, stage and raw client are processes of their own.

The ideal schedule gives each request, in order, to the slot that is free first, with the server's own latencies and no
time in between. The floor is N x mean latency / concurrency, without the last requests' tail.
"""

import argparse
import asyncio
import heapq
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.own_settings import own_settings
from tests.servers.openai.server import OpenAIServer
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import QUESTIONS
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Answer, Question
from tuneproof.scoring.judging.cases import judge_stage
from tuneproof.scoring.judging.chains import Asking
from tuneproof.scoring.judging.settling import settle
from tuneproof.scoring.judging.whole_run import stages_of_run
from tuneproof.settings.evidence.judging import Judge
from tuneproof.settings.params import Params
from tuneproof.settings.reading import load_params

REPOSITORY = Path(__file__).parent.parent.parent
LATENCY_SECONDS, SPREAD_SECONDS = 0.5, 0.2
REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE = 1_200, 1_800_000
LATENCY = ["--latency", str(LATENCY_SECONDS), "--spread", str(SPREAD_SECONDS)]
WORDS = "A ledger is a file that keeps what was paid for, so that it is never bought again. "


@dataclass(frozen=True)
class Setting:
    """One case: how many requests at once, what the server does, and whether the raw client can stand beside it."""

    name: str
    concurrency: int
    server: list[str] = field(default_factory=lambda: LATENCY)
    compared: bool = False


FAULTS = ["--fault", "429=0.05", "--fault", "500=0.02", "--fault", "malformed=0.02", "--fault", "dropped=0.01"]
SETTINGS = (
    Setting("no faults", 10, compared=True),
    Setting("no faults", 64, compared=True),
    Setting("no faults", 256, compared=True),
    Setting("faults", 64, [*LATENCY, *FAULTS]),
    Setting("faults, wait unsaid", 64, [*LATENCY, *FAULTS, "--wait-headers", "none"]),
    Setting("outage of 4 s", 64, [*LATENCY, "--outage", "2", "6"]),
    Setting(
        "requests limit", 64, [*LATENCY, "--requests-per-minute", str(REQUESTS_PER_MINUTE), "--burst-seconds", "1"]
    ),
    Setting("tokens limit", 64, [*LATENCY, "--tokens-per-minute", str(TOKENS_PER_MINUTE), "--burst-seconds", "1"]),
    Setting("no latency", 256, []),
)


def main() -> None:
    """Runs every setting that was asked for, or one part of one in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=1_000)
    parser.add_argument("--only", nargs="*", help="names of settings")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--part", choices=["stage", "raw", "write", "base"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        print(json.dumps(PARTS[chosen.part](chosen.answers)))
        return
    print(f"{chosen.answers} answers; load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("| server | at once | s | x floor | x ideal | x raw | requests / N | scored | rate / limit | CPU s | MB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        if setting.name in (chosen.only or [one.name for one in SETTINGS if one.name != "no latency"]):
            for _ in range(chosen.repeat):
                print(row(setting, chosen.answers), flush=True)


def row(setting: Setting, answers: int) -> str:
    """One setting, measured."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        raw = {"seconds": float("nan")}
        if setting.compared:
            with serving(setting.server) as url:
                prepare(directory, url, setting.concurrency, answers)
                raw = part("raw", directory, answers)
        with serving(setting.server) as url:
            prepare(directory, url, setting.concurrency, answers)
            measured = part("stage", directory, answers)
            counts = json.loads(urllib.request.urlopen(url.removesuffix("/v1") + "/counts").read())  # noqa: S310 (local)
        base = part("base", directory, answers)
    seconds, requests = measured["seconds"], sum(counts["requests"].values())
    floor = answers * LATENCY_SECONDS / setting.concurrency
    cells = [
        setting.name, setting.concurrency, f"{seconds:.1f}", f"{seconds / floor:.2f}",
        f"{seconds / measured['ideal']:.2f}", f"{seconds / raw['seconds']:.2f}", f"{requests / answers:.3f}",
        f"{measured['scored']} of {answers}", rate_share(setting, answers, measured),
        f"{measured['cpu_seconds']:.1f}", f"{measured['megabytes'] - base['megabytes']:.0f}",
    ]  # fmt: skip
    return "| " + " | ".join(map(str, cells)).replace("nan", "-") + " |"


def rate_share(setting: Setting, answers: int, measured: dict[str, float]) -> str:
    """The share of the allowed rate that was used, the last reply's latency left out."""
    sending = measured["seconds"] - LATENCY_SECONDS
    if setting.name == "requests limit":
        return f"{(answers - REQUESTS_PER_MINUTE / 60) / sending / (REQUESTS_PER_MINUTE / 60):.2f}"
    if setting.name == "tokens limit":
        spent = measured["tokens"] - TOKENS_PER_MINUTE / 60
        return f"{spent / sending / (TOKENS_PER_MINUTE / 60):.2f}"
    return "-"


@contextmanager
def serving(arguments: list[str]) -> Iterator[str]:
    """The server in a process of its own; gives its address."""
    command = [sys.executable, "-m", "tests.servers.openai.server", *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def prepare(directory: Path, url: str, concurrency: int, answers: int) -> None:
    """Makes a project in `directory` whose judge is at `url`; the ledger is empty."""
    params = own_settings()
    params["models"], params["baseline"] = {"sft": {"engine": "recorded", "path": "answers.jsonl"}}, "sft"
    params["judge"] |= {"base_url": url, "served_as": "benchmark"}
    params["execution"]["judge"]["concurrency"] = concurrency
    (directory / "params.yaml").write_text(yaml.safe_dump(params))
    part("write", directory, answers)
    for file in (directory / ".cache").glob("ledger.sqlite*"):
        file.unlink()


def part(name: str, directory: Path, answers: int) -> dict[str, Any]:
    """One part in a process of its own, which works in `directory`."""
    command = [sys.executable, __file__, "--part", name, "--answers", str(answers)]
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}/scripts:{REPOSITORY}"}
    done = subprocess.run(command, cwd=directory, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write(answers: int) -> dict[str, Any]:
    """Questions and answers of a usual length, in the working directory."""
    texts = {f"{number:012d}": f"{number}: {WORDS * (5 + number % 10)}" for number in range(answers)}
    write_rows(QUESTIONS.path, (Question(id=key, instruction=text[:90], reference=text) for key, text in texts.items()))
    write_rows(
        Path("data/answers/sft.jsonl"),
        (
            Answer(id=key, sample=0, prompt="", answer=text, finish_reason="stop", error=None, prompt_tokens=None,
                   answer_tokens=None, key=key)
            for key, text in texts.items()
        ),
    )  # fmt: skip
    return {}


def load() -> tuple[Params, dict[str, Question]]:
    """The project in the working directory."""
    return load_params(), {one.id: one for one in QUESTIONS.read()}


def stage(answers: int) -> dict[str, Any]:
    """What the judge stage does: the quote, the buying and the rows. Loading the libraries is not timed."""
    import aiohttp  # noqa: F401
    import openai

    openai.AsyncOpenAI(api_key="none", http_client=openai.DefaultAioHttpClient())  # it loads most of itself only now
    params, questions = load()
    began, cpu = time.perf_counter(), time.process_time()
    statuses = Counter[str]()
    tokens = 0
    with Ledger() as ledger:
        cases = settle(judge_stage("sft", params, questions), stages_of_run(params, questions), params, ledger)

        def rows() -> Iterator[Any]:
            nonlocal tokens
            for case, chains in cases:
                judgement = case.judgement(chains)
                statuses[judgement.status] += 1
                tokens += sum(
                    (reply.prompt_tokens or 0) + (params.judge.max_tokens or 0) for reply in judgement.replies
                )
                yield judgement

        write_rows(Path("data/judgements/sft.jsonl"), rows())
    seconds = time.perf_counter() - began
    used = {"seconds": seconds, "cpu_seconds": time.process_time() - cpu, "megabytes": peak_megabytes()}
    return used | {"scored": statuses["ok"], "tokens": tokens, "ideal": ideal_seconds(params, questions)}


def requests(params: Params, questions: dict[str, Question]) -> Iterator[dict[str, Any]]:
    """The bodies that the stage sends at first."""
    judge: Judge = params.judge
    with Ledger(Path(":memory:")) as ledger:
        asking = Asking(judge, params.execution.judge, judge.criteria, ledger)
        for case in judge_stage("sft", params, questions).cases():
            yield asking.body(asking.panel[0], case.messages(case.nonce))


def ideal_seconds(params: Params, questions: dict[str, Question]) -> float:
    """When the last reply would be there if nothing took time but the replies."""
    server = OpenAIServer(latency_seconds=LATENCY_SECONDS, latency_spread_seconds=SPREAD_SECONDS)
    slots = [0.0] * params.execution.judge.concurrency
    last = 0.0
    for body in requests(params, questions):
        end = heapq.heappop(slots) + server.latency_of(body)
        heapq.heappush(slots, end)
        last = max(last, end)
    return last


def raw(answers: int) -> dict[str, Any]:
    """The same requests by a bare aiohttp client, which reads the replies' JSON and keeps nothing."""
    import aiohttp

    params, questions = load()
    bodies = requests(params, questions)

    async def send_all() -> None:
        connector = aiohttp.TCPConnector(limit=params.execution.judge.concurrency)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def work() -> None:
                for body in bodies:
                    async with session.post(f"{params.judge.base_url}/chat/completions", json=body) as response:
                        json.loads((await response.json())["choices"][0]["message"]["content"])

            await asyncio.gather(*(work() for _ in range(params.execution.judge.concurrency)))

    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(send_all())
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}


def base(answers: int) -> dict[str, Any]:
    """A Python interpreter that does nothing."""
    code = "import re; print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read()).group(1))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True)
    return {"megabytes": int(done.stdout) / 1024}


def peak_megabytes() -> float:
    """The most memory that this process ever held."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found.group(1)) / 1024 if found else float("nan")


PARTS = {"stage": stage, "raw": raw, "write": write, "base": base}

if __name__ == "__main__":
    main()
