"""A fuzz of every file that may come from elsewhere: one line and exit 1, or a right result; never a traceback."""

import contextlib
import io
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.made_up.judging import with_answers
from tests.made_up.mutations import spoiled_lines, spoiled_settings, spoiled_value
from tests.running import Done
from tests.servers.openai.server import OpenAIServer
from tuneproof.common.errors import run
from tuneproof.records.exchange import export_ledger, import_ledger
from tuneproof.records.ledger import Ledger
from tuneproof.settings.reading import load_params, parse_settings, settings_text

QUICK, ALL = 25, 350  # spoiled files of each of the six kinds
SEED = 20
ANSWERS = ["Fine.", "Good.", "", "It is 3."]
DATASET = "questions.jsonl"


@dataclass
class Spoiled:
    """A judged project with few rows, of which each case spoils one file; `kept` holds all of them as they were."""

    project: Project
    kept: dict[Path, bytes]

    def restore(self) -> None:
        """Puts every file back."""
        for path in (self.project.root / ".cache").glob("ledger.sqlite-*"):
            path.unlink()
        for path, content in self.kept.items():
            path.write_bytes(content)


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoiled]:
    folder = tmp_path_factory.mktemp("spoiled") / "project"
    folder.mkdir()
    project = Project(folder)
    with pytest.MonkeyPatch.context() as patch, OpenAIServer() as server:
        for name in ("DVC_ROOT", "OPENAI_API_KEY", "HF_TOKEN"):
            patch.delenv(name, raising=False)
        with_answers(project, server.base_url, {"sft": ANSWERS, "baseline": ANSWERS[::-1]}, served_as="judge")
        project.set(compare__enabled=False)
        for model in ("sft", "baseline"):
            project.run_ok("judge.py", model)
        project.run_ok("aggregate.py")
        with Ledger(folder / ".cache" / "ledger.sqlite") as ledger:
            export_ledger(ledger, folder / "export.jsonl")
        files = [path for path in folder.rglob("*") if path.is_file() and "embedded" not in path.parts]
        yield Spoiled(project, {path: path.read_bytes() for path in files})


def called(main: Callable[[], object]) -> Done:
    """How a script ends whose main this is."""
    said, code = io.StringIO(), 0

    def script() -> None:
        main()

    with contextlib.redirect_stderr(said):
        try:
            run(script)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Done(code, "", said.getvalue())


def spoil(path: Path, choose: random.Random) -> None:
    """Spoils a file of JSON Lines."""
    path.write_bytes(spoiled_lines(path.read_bytes(), choose))


def params_yaml(project: Project, choose: random.Random) -> Done:
    """The whole validate where it asks no Hub, else what reads the settings."""
    path = project.root / "params.yaml"
    path.write_bytes(spoiled_settings(path.read_bytes(), choose, settings_text, parse_settings))
    done = called(lambda: load_params(path))
    if done.returncode:
        return done
    params = load_params(path)
    local = params.questions.dataset == DATASET and not params.dummy
    return project.run("validate.py") if local and all(one.path for one in params.models.values()) else done


def questions(project: Project, choose: random.Random) -> Done:
    name = choose.choice((DATASET, "data/questions.jsonl"))
    spoil(project.root / name, choose)
    scripts = ("validate.py",) if name == DATASET else ("generate.py sft", "judge.py sft", "aggregate.py")
    return project.run(*choose.choice(scripts).split())


def answers(project: Project, choose: random.Random) -> Done:
    name = choose.choice(("sft.jsonl", "data/answers/sft.jsonl"))
    spoil(project.root / name, choose)
    scripts = ("generate.py sft",) if name == "sft.jsonl" else ("judge.py sft", "aggregate.py", "validate.py")
    return project.run(*choose.choice(scripts).split())


def judgements(project: Project, choose: random.Random) -> Done:
    spoil(project.root / "data" / "judgements" / "sft.jsonl", choose)
    script = choose.choice(("aggregate.py", "validate.py"))
    if script == "validate.py":
        (project.root / ".cache" / "ledger.sqlite").unlink()
    return project.run(script)


def ledger_rows(project: Project, choose: random.Random) -> Done:
    connection = sqlite3.connect(project.root / ".cache" / "ledger.sqlite")
    with connection:
        key, kind, body = choose.choice(
            connection.execute("SELECT key, kind, body FROM results ORDER BY key").fetchall()
        )
        odd: object = spoiled_lines(body.encode(), choose).strip()
        if choose.random() < 0.5:
            odd = json.dumps(spoiled_value(json.loads(body), choose))
        connection.execute("UPDATE results SET body = ? WHERE key = ?", [odd, key])
    connection.close()
    return project.run("generate.py" if kind == "answer" else "judge.py", choose.choice(("sft", "baseline")))


def imports(project: Project, choose: random.Random) -> Done:
    path = project.root / "export.jsonl"
    spoil(path, choose)
    (project.root / ".cache" / "ledger.sqlite").unlink()
    with Ledger(project.root / ".cache" / "ledger.sqlite") as ledger:
        done = called(lambda: import_ledger(ledger, path))
    return done if done.returncode else project.run("judge.py", "sft")


KINDS = (params_yaml, questions, answers, judgements, ledger_rows, imports)


def check(spoiled: Spoiled, kind: Callable[[Project, random.Random], Done], count: int) -> None:
    """Spoils so many files: each ends as a person's mistake does, or well and with scores on the scale."""
    endings = {0: 0, 1: 0}
    for number in range(count):
        spoiled.restore()
        where = f"{kind.__name__} {number}"
        done = kind(spoiled.project, random.Random(f"{SEED} {where}"))
        assert "Traceback" not in done.stderr, (where, done.stderr)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert (done.returncode, bool(errors)) in ((0, False), (1, True)), (where, done)
        assert all("; " in line and len(line) < 1_000 for line in errors), (where, errors)
        endings[done.returncode] += 1
        lines = (spoiled.project.root / "data/judgements/sft.jsonl").read_bytes().splitlines()
        rows = [json.loads(line) for line in lines] if kind is not judgements else []
        scores = {score for row in rows for score in (row["scores"] or {}).values()}
        assert scores <= {1, 2, 3}, (where, scores)
        mean = json.loads((spoiled.project.root / "metrics" / "sft.json").read_text())["accuracy"]
        assert mean is None or 1 <= mean <= 3, (where, mean)
    assert endings[1] or kind is ledger_rows, endings  # such a row is set aside, and had anew
    assert endings[0] or kind is params_yaml, endings


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_spoiled_file_is_one_line_or_does_no_harm(
    spoiled: Spoiled, kind: Callable[[Project, random.Random], Done]
) -> None:
    check(spoiled, kind, QUICK)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_thousands_of_spoiled_files_are_one_line_each_or_do_no_harm(
    spoiled: Spoiled, kind: Callable[[Project, random.Random], Done]
) -> None:
    check(spoiled, kind, ALL)
