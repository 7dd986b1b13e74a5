"""What a person sees who asks people: the page's server, other tools, and how many labels are missing."""

import json
import shutil
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.conftest import ROOT
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.labels import label
from tests.made_up.rating import Served, labels_of, served, write_rated_run
from tests.made_up.run import Shape
from tests.running import Done, run_here
from tuneproof.records.files import write_rows
from tuneproof.records.handovers import ANSWERS, EVALUATORS_DIRECTORY, LABELS, QUESTIONS
from tuneproof.settings.reading import load_params

TEXTS_THROUGH_THE_SERVER = 1_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rated_run(tmp_path_factory.mktemp("annotate"), Shape(questions=20, unusable=0), sample=30)


@pytest.fixture(scope="module")
def server(run: Path) -> Iterator[Served]:
    """The page, open for a rater of each test's own."""
    with served(run, "carl", "dora", "emil", "fritz", "gerd", "hans") as running:
        yield running


def error_line(done: Done) -> str:
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


def refusals(server: Served, rater: str, key: str, token: str) -> list[int]:
    return [
        server.ask(rater, f"/?token={quote(token)}")[0],
        server.ask(rater, "/api/overview", token=token)[0],
        server.ask(rater, f"/api/items/{key}", token=token)[0],
        server.ask(rater, f"/api/items/{key}", b'{"scores": {"accuracy": 1}}', token=token)[0],
    ]


def test_without_its_token_nothing_is_shown_and_nothing_is_saved(run: Path, server: Served) -> None:
    token = server.addresses["carl"].rpartition("=")[2]
    key = server.ask("carl", "/api/overview")[1]["items"][0]["key"]
    for wrong in ("", token[:-1], token + "x", token.swapcase(), "carl"):
        assert refusals(server, "carl", key, wrong) == [403, 403, 403, 403]
    for path in ("/docs", "/openapi.json", "/api/", "/static", "/../params.yaml"):
        assert server.ask("carl", path)[0] == 404
    assert labels_of(run, "carl") == []
    assert refusals(server, "carl", key, token) == [200, 200, 200, 200]
    assert len(labels_of(run, "carl")) == 1


def test_a_token_is_of_one_rater(run: Path, server: Served) -> None:
    key = server.ask("dora", "/api/overview")[1]["items"][0]["key"]
    assert server.ask("emil", "/api/overview")[1]["rater"] == "emil"
    server.ask("emil", f"/api/items/{key}", b'{"scores": {"accuracy": 1}}')
    assert (len(labels_of(run, "dora")), len(labels_of(run, "emil"))) == (0, 1)


def test_it_listens_on_this_machine_alone_and_the_page_may_run_only_its_own(server: Served) -> None:
    parts = urlsplit(server.addresses["fritz"])
    assert parts.hostname == "127.0.0.1"
    connection = HTTPConnection("127.0.0.1", parts.port)
    connection.request("GET", f"/?{parts.query}")
    response = connection.getresponse()
    policy, page = response.headers["Content-Security-Policy"], response.read().decode()
    connection.close()
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "<title>Rate answers" in page


def test_what_is_too_long_or_no_json_is_refused(run: Path, server: Served) -> None:
    key = server.ask("gerd", "/api/overview")[1]["items"][0]["key"]
    path = f"/api/items/{key}"
    assert server.ask("gerd", path, b'"' + b"x" * 200_000 + b'"')[0] == 413
    assert server.ask("gerd", path, b"\xff{")[0] == 422
    assert server.ask("gerd", path, b'{"scores": {"accuracy": 9}}') == (
        422, {"error": "a score is no step of the scale"},
    )  # fmt: skip
    assert server.ask("gerd", "/api/items/none") == (422, {"error": "there is no such item"})
    assert labels_of(run, "gerd") == []


def test_a_thousand_hostile_texts_go_through_the_server_as_they_are(tmp_path: Path) -> None:
    hostile = tuple(f"{text}\n{number}" for number in range(50) for text in HOSTILE_TEXTS)
    shape = Shape(questions=TEXTS_THROUGH_THE_SERVER // 7, unusable=0, hostile=hostile)
    run = write_rated_run(tmp_path, shape, sample=TEXTS_THROUGH_THE_SERVER, chosen=0)
    texts = {one.answer for model in shape.models for one in ANSWERS.read(model, run)}
    asked = {(one.asked, one.reference) for one in QUESTIONS.read(run)}
    seen = 0
    with served(run, "anna") as server:
        for item in server.ask("anna", "/api/overview")[1]["items"]:
            status, shown = server.ask("anna", f"/api/items/{item['key']}")
            assert status == 200
            assert shown["answers"][0] in texts
            assert (shown["question"], shown["reference"]) in asked
            seen += 3 if shown["reference"] is not None else 2
            if seen <= 3 * len(HOSTILE_TEXTS):
                note = json.dumps({"note": shown["answers"][0][:10_000]}).encode()
                assert server.ask("anna", f"/api/items/{item['key']}", note)[0] == 200
    assert seen >= TEXTS_THROUGH_THE_SERVER
    notes = [one.note for one in labels_of(run, "anna")]
    assert notes
    assert all(any(text.startswith(note or "") for text in texts) for note in notes)


def test_a_missing_package_is_one_line_with_the_command(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    line = error_line(run_here(run, "annotate.py", "--rater", "anna"))
    assert "requirements/serving.txt" in line
    assert run_here(run, "annotate.py", "--export", "labels.csv").returncode == 0


def test_a_port_that_is_taken_is_one_line(run: Path, server: Served) -> None:
    port = str(urlsplit(server.addresses["hans"]).port)
    assert f"127.0.0.1:{port}: it cannot be listened on" in error_line(
        run_here(run, "annotate.py", "--rater", "ida", "--port", port)
    )
    assert "--rater hans: annotate.py is open for this rater already" in error_line(
        run_here(run, "annotate.py", "--rater", "hans")
    )


def test_a_name_that_no_file_can_have_is_refused(run: Path) -> None:
    done = run_here(run, "annotate.py", "--rater", "../anna")
    assert done.returncode == 2
    assert "a name has up to 40 of a-z" in done.stderr


def test_a_run_that_has_not_begun_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("baseline: a\n")
    assert "error: params.yaml" in error_line(run_here(tmp_path, "annotate.py", "--plan"))


@pytest.mark.parametrize("name", [pytest.param("labels.json", marks=pytest.mark.exhaustive), "labels.csv"])
def test_labels_go_to_another_tool_and_come_back(tmp_path: Path, name: str) -> None:
    run = write_rated_run(tmp_path, Shape(questions=4, unusable=0), sample=12, pairs=6, chosen=0)
    instructions = load_params(run / "params.yaml").instructions
    with served(run, "anna") as server:
        for number, item in enumerate(server.ask("anna", "/api/overview")[1]["items"][:8]):
            kind = server.ask("anna", f"/api/items/{item['key']}")[1]["kind"]
            said = {"scores": {"accuracy": 1, "style": 3}} if kind == "answer" else {"outcome": "tie"}
            body = json.dumps(said | {"note": f"=cmd|' /C calc'!A{number}", "seconds": 1.5}).encode()
            assert server.ask("anna", f"/api/items/{item['key']}", body)[0] == 200
    write_rows(run / LABELS.path("ben"), [label(rater="ben", key="old", instructions="of before", note="-1+1")])
    before = {rater: labels_of(run, rater) for rater in ("anna", "ben")}
    done = run_here(run, "annotate.py", "--export", name)
    assert "wrote 18 items and 9 labels" in done.stderr
    for rater in before:
        (run / LABELS.path(rater)).unlink()
    done = run_here(run, "annotate.py", "--import", name)
    assert done.returncode == 0, done.stderr
    assert "9 labels of anna, ben" in done.stderr
    for rater, labels in before.items():  # in a task of Label Studio the labels of one answer stand together
        assert sorted(labels_of(run, rater), key=str) == sorted(labels, key=str)
    assert {one.instructions for one in labels_of(run, "anna")} == {instructions}


def test_an_import_that_is_wrong_changes_nothing(run: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in (run / LABELS.directory).glob("*"))
    wrong = tmp_path / "wrong.csv"
    heading = "key,id,kind,drawn,rater,score accuracy\n"
    wrong.write_text(f"{heading}a,q,answer,random,zoe,2\nb,q,answer,random,zoe,7\n")
    line = error_line(run_here(run, "annotate.py", "--import", str(wrong)))
    assert "answer q of zoe: 7 is no step of accuracy" in line
    assert "cannot be read" in error_line(run_here(run, "annotate.py", "--import", str(tmp_path / "none.csv")))
    assert "says no form" in error_line(run_here(run, "annotate.py", "--export", "labels.xlsx"))
    assert sorted(path.name for path in (run / LABELS.directory).glob("*")) == before


def test_the_plan_says_how_many_more_labels_would_decide(tmp_path: Path) -> None:
    run = write_rated_run(tmp_path, Shape(questions=80, unusable=0), raters=2)
    assert "run `dvc repro` first" in error_line(run_here(run, "annotate.py", "--plan"))
    assert run_here(run, "aggregate.py").returncode == 0
    done = run_here(run, "annotate.py", "--plan")
    assert done.returncode == 0, done.stderr
    assert "decisions are open, 0 labels" in done.stderr
    lines = done.stdout.splitlines()
    assert any("0 of 80 questions are labelled at random" in line for line in lines), lines
    assert lines[-1].startswith("Assumed: ")


def test_an_evaluator_that_is_there_helps_to_choose(tmp_path: Path) -> None:
    run = write_rated_run(tmp_path, Shape(questions=4, unusable=0, compare=False), sample=0, chosen=3)
    assert "wrote 0 items" in run_here(run, "annotate.py", "--export", "labels.csv").stderr
    shutil.copytree(ROOT / "data/embedded/judge/accuracy", run / EVALUATORS_DIRECTORY / "accuracy")
    done = run_here(run, "annotate.py", "--export", "labels.csv")
    assert "where judge and evaluator disagree on accuracy" in done.stderr
    assert "wrote 3 items" in done.stderr
