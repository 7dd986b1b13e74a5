"""What somebody sees who serves evaluators, and who asks them: the real server in its own process."""

import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.made_up.evaluators import TOPICS, trained
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.serving import ACCURACY, ITEM, STYLE, TOKEN, Served, served
from tests.running import run_here
from tuneproof.endpoint.listening import LOOPBACK
from tuneproof.scoring.evaluator import load
from tuneproof.scoring.serving.messages import LARGEST_BODY, MOST_CHARACTERS, MOST_ITEMS

PRIVATE = "The-text-that-nobody-may-read"
OBJECT = "send a JSON object with `items`, as application/json"
UNKNOWN = "an unknown field; known are items (output, input, ground_truth) and evaluators"
NO_JSON = "the body is not JSON"


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with served("--threshold", "accuracy=0.5", evaluators=(ACCURACY, STYLE)) as running:
        yield running


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    with served("--host", "0.0.0.0", token=TOKEN) as running:
        yield running


def test_scores_are_those_of_the_evaluator(service: Served) -> None:
    items = [ITEM, {"output": "No idea."}, *({"output": text, "input": text} for text in HOSTILE_TEXTS)]
    answer = service.ask("/score", {"items": items})
    assert answer.status == 200
    results = answer.json["results"]
    assert len(results) == len(items)
    for name, folder in (("accuracy", ACCURACY), ("style", STYLE)):
        for result, scored in zip(results, load(folder).score_table(items), strict=True):
            given = result["scores"][name]
            assert (given["probability"], given["score"], given["label"]) == (
                scored.probability, scored.score, scored.label,
            )  # fmt: skip
            assert 0 <= given["probability"] <= 1
    assert {result["scores"]["style"]["passed"] for result in results} == {None}
    for result in results:
        assert result["passed"] is result["scores"]["accuracy"]["passed"]
        assert result["passed"] is (result["scores"]["accuracy"]["probability"] >= 0.5)


def test_an_evaluator_is_chosen_by_name(service: Served) -> None:
    answer = service.ask("/score", {"items": [ITEM], "evaluators": ["style"]})
    assert list(answer.json["results"][0]["scores"]) == ["style"]
    assert answer.json["results"][0]["passed"] is None


def test_health_readiness_and_counters_are_there(service: Served) -> None:
    assert service.ask("/healthz").json == {"status": "ok"}
    assert service.ask("/readyz").json["evaluators"] == {
        "accuracy": load(ACCURACY).content,
        "style": load(STYLE).content,
    }
    service.ask("/score", {"items": [ITEM]})
    text = service.ask("/metrics").text
    assert 'tuneproof_items_total{evaluator="accuracy",passed="' in text
    assert 'tuneproof_score_seconds_bucket{le="0.05"}' in text


def test_the_documentation_is_a_schema_and_a_page_that_needs_no_network(service: Served) -> None:
    schema = service.ask("/openapi.json").json
    assert set(schema["paths"]) == {"/score", "/healthz", "/readyz"}
    assert {"200", "401", "413", "422", "429", "504"} <= set(schema["paths"]["/score"]["post"]["responses"])
    assert schema["components"]["schemas"]["Item"]["required"] == ["output"]
    page = service.ask("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "ground_truth" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text


def body(**item: object) -> dict[str, object]:
    return {"items": [{"output": PRIVATE} | item]}


TEXT = {"content_type": "text/plain"}
BAD: dict[str, tuple[str, str, object, dict[str, str], int, str]] = {
    "nothing": ("POST", "/score", b"", {}, 422, OBJECT),
    "no JSON": ("POST", "/score", PRIVATE.encode(), {}, 422, NO_JSON),
    "half an object": ("POST", "/score", b'{"items": [', {}, 422, NO_JSON),
    "two objects": ("POST", "/score", b"{}{}", {}, 422, NO_JSON),
    "a comma too many": ("POST", "/score", b'{"items": [],}', {}, 422, NO_JSON),
    "a list": ("POST", "/score", [PRIVATE], {}, 422, OBJECT),
    "a text": ("POST", "/score", f'"{PRIVATE}"'.encode(), {}, 422, OBJECT),
    "null": ("POST", "/score", b"null", {}, 422, OBJECT),
    "a number": ("POST", "/score", b"1", {}, 422, OBJECT),
    "no items": ("POST", "/score", {}, {}, 422, "items: Field required"),
    "items of null": ("POST", "/score", {"items": None}, {}, 422, "items: Input should be a valid list"),
    "items of text": ("POST", "/score", {"items": PRIVATE}, {}, 422, "items: Input should be a valid list"),
    "an object of items": ("POST", "/score", {"items": ITEM}, {}, 422, "items: Input should be a valid list"),
    "an empty list": ("POST", "/score", {"items": []}, {}, 422, "items: List should have at least 1 item"),
    "too many items": ("POST", "/score", {"items": [ITEM] * (MOST_ITEMS + 1)}, {}, 413, "items: List should have at"),
    "an item of text": ("POST", "/score", {"items": [PRIVATE]}, {}, 422, "items.0: Input should be"),
    "an item of null": ("POST", "/score", {"items": [None]}, {}, 422, "items.0: Input should be"),
    "no output": ("POST", "/score", {"items": [{"input": PRIVATE}]}, {}, 422, "items.0.output: Field required"),
    "an output of null": ("POST", "/score", body(output=None), {}, 422, "items.0.output: Input should be a valid st"),
    "an output of numbers": ("POST", "/score", body(output=1), {}, 422, "items.0.output: Input should be a valid st"),
    "an output of lists": ("POST", "/score", body(output=[PRIVATE]), {}, 422, "items.0.output: Input should be a val"),
    "an output of true": ("POST", "/score", body(output=True), {}, 422, "items.0.output: Input should be a valid st"),
    "an input of numbers": ("POST", "/score", body(input=1.5), {}, 422, "items.0.input: Input should be a valid str"),
    "a reference of objects": ("POST", "/score", body(ground_truth={}), {}, 422, "items.0.ground_truth: Input should"),
    "a long output": ("POST", "/score", body(output="x" * (MOST_CHARACTERS + 1)), {}, 413, "items.0.output: String s"),
    "a long input": ("POST", "/score", body(input="x" * (MOST_CHARACTERS + 1)), {}, 413, "items.0.input: String sho"),
    "the second item is wrong": ("POST", "/score", {"items": [ITEM, {}]}, {}, 422, "items.1.output: Field required"),
    "an unknown field": ("POST", "/score", {"items": [ITEM], PRIVATE: 1}, {}, 422, UNKNOWN),
    "an unknown field of an item": ("POST", "/score", body(answer=PRIVATE), {}, 422, UNKNOWN),
    "half a character": ("POST", "/score", b'{"items": [{"output": "\\ud800"}]}', {}, 422, "items.0.output: Input"),
    "not UTF-8": ("POST", "/score", b'{"items": [{"output": "\xff"}]}', {}, 400, "There was an error parsing the"),
    "NaN": ("POST", "/score", b'{"items": [{"output": NaN}]}', {}, 422, "items.0.output: Input should be a valid st"),
    "nested deeply": ("POST", "/score", b"[" * 100_000, {}, 400, "There was an error parsing the body"),
    "a huge number": ("POST", "/score", b'{"items": ' + b"9" * 5_000 + b"}", {}, 400, "There was an error parsing"),
    "no such evaluator": ("POST", "/score", {"items": [ITEM], "evaluators": [PRIVATE]}, {}, 422, "evaluators: served"),
    "no evaluator": ("POST", "/score", {"items": [ITEM], "evaluators": []}, {}, 422, "evaluators: List should have"),
    "one twice": ("POST", "/score", {"items": [ITEM], "evaluators": ["style", "style"]}, {}, 422, "evaluators: one is"),
    "evaluators of text": ("POST", "/score", {"items": [ITEM], "evaluators": "style"}, {}, 422, "evaluators: Input sh"),
    "a form": ("POST", "/score", b"items=1", {"content_type": "application/x-www-form-urlencoded"}, 422, OBJECT),
    "a foreign page's text": ("POST", "/score", json.dumps(body()).encode(), TEXT, 422, OBJECT),
    "too many bytes": ("POST", "/score", b" " * (LARGEST_BODY + 1), {}, 413, "the request is longer than"),
    "a length of words": ("POST", "/score", b"", {"content_length": "-1"}, 400, ""),
    "a foreign host": ("POST", "/score", body(), {"host": "example.org"}, 403, "ask this machine as localhost"),
    "reading a score": ("GET", "/score", None, {}, 405, "Method Not Allowed"),
    "putting a score": ("PUT", "/score", body(), {}, 405, "Method Not Allowed"),
    "deleting the page": ("DELETE", "/", None, {}, 405, "Method Not Allowed"),
    "no such path": ("GET", f"/{PRIVATE}", None, {}, 404, "Not Found"),
    "a path upwards": ("GET", "/../../etc/passwd", None, {}, 404, "Not Found"),
    "a path too many": ("POST", "/score/", body(), {}, 404, "Not Found"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_gets_its_answer_in_one_line(service: Served, name: str) -> None:
    method, path, content, headers, status, reason = BAD[name]
    answer = service.ask(path, content, method, **headers)
    assert answer.status == status
    assert PRIVATE not in answer.text
    if reason:
        assert list(answer.json) == ["error"]
        assert answer.json["error"].startswith(reason)
        assert "\n" not in answer.json["error"]
    assert service.ask("/score", {"items": [ITEM]}).status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 200_000,
        b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"POST /score HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        f"GET /{PRIVATE} HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n".encode(),
    ],
    ids=["TLS", "another version", "an endless line", "half a body", "broken chunks", "a broken header"],
)
def test_what_is_no_request_leaves_the_service_alive(service: Served, sent: bytes) -> None:
    with socket.create_connection((LOOPBACK, service.port)) as connection, suppress(OSError):  # it may hang up first
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
    assert service.ask("/score", {"items": [ITEM]}).status == 200


def test_no_text_and_no_secret_is_in_a_log_or_a_counter() -> None:
    with served("--threshold", "accuracy=0.5", token=TOKEN) as service:
        bearer = {"authorization": f"Bearer {TOKEN}"}
        for method, path, content, headers, _, _ in BAD.values():
            service.ask(path, content, method, **{**bearer, **headers})
        service.ask("/score", body(), authorization=f"Bearer {PRIVATE}")
        assert service.ask(f"/score?output={PRIVATE}", body(), **bearer).status == 200
        counters = service.ask("/metrics", **bearer).text
        assert service.stop() == 0
    for text in (service.said, counters):
        assert PRIVATE not in text
        assert TOKEN not in text
    assert set(service.said.splitlines()) == {
        "serve: accuracy for those with the token; end with Ctrl-C",
        "WARNING:  Invalid HTTP request received.",  # uvicorn's own, which shows nothing of it
        "serve: stopped",
    }


@pytest.mark.parametrize("header", ["", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN])
def test_beyond_this_machine_the_token_is_needed(guarded: Served, header: str) -> None:
    for path, content in (("/score", {"items": [ITEM]}), ("/metrics", None), ("/nowhere", None)):
        refused = guarded.ask(path, content, authorization=header)
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert list(refused.json) == ["error"]


def test_with_the_token_scores_are_given_and_pages_and_health_need_none(guarded: Served) -> None:
    assert guarded.ask("/score", {"items": [ITEM]}, authorization=f"Bearer {TOKEN}").status == 200
    assert guarded.ask("/score", {"items": [ITEM]}, authorization=f"bearer {TOKEN}", host="example.org").status == 200
    assert [guarded.ask(path).status for path in ("/", "/docs", "/openapi.json", "/healthz", "/readyz")] == [200] * 5
    assert "HTTPBearer" in guarded.ask("/openapi.json").text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_has_begun_is_answered_before_the_service_ends(number: int) -> None:
    long = {"items": [{**ITEM, "output": " ".join(f"word{place}" for place in range(1500))}] * MOST_ITEMS}
    with served("--timeout", "300") as service, ThreadPoolExecutor(1) as client:
        begun = client.submit(service.ask, "/score", long)
        while "work_inside 1.0" not in service.ask("/metrics").text:
            assert not begun.done(), "it was over before it could be interrupted"
        assert service.stop(number) == 0
        answer = begun.result()
    assert answer.status == 200
    assert len(answer.json["results"]) == MOST_ITEMS
    assert service.said.splitlines()[-1] == "serve: stopped"


def refused(*arguments: str, token: str = "") -> str:
    done = run_here(Path(), "serve.py", *arguments, "--port", "0", TUNEPROOF_SERVE_TOKEN=token)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", "192.168.1.4"])
def test_beyond_this_machine_it_does_not_start_without_a_token(host: str) -> None:
    said = refused("--evaluator", ACCURACY, "--host", host)
    assert said.startswith(f"error: --host {host}: others could ask there, and TUNEPROOF_SERVE_TOKEN is not set; set ")


@pytest.mark.parametrize("token", ["brief", "with a space in its long middle", "with-ü-that-no-header-can-hold"])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(token: str) -> None:
    said = refused("--evaluator", ACCURACY, token=token)
    assert said.startswith("error: TUNEPROOF_SERVE_TOKEN: it is too short, or holds what no header can; set ")
    assert token not in said


def test_a_folder_that_holds_none_two_of_one_and_senseless_thresholds_are_told(tmp_path: Path) -> None:
    assert "it cannot be read (No such file or directory)" in refused("--evaluator", str(tmp_path))
    assert "another evaluator of accuracy is served" in refused("--evaluator", ACCURACY, "--evaluator", ACCURACY)
    one = ("--evaluator", ACCURACY, "--threshold")
    assert "--threshold tone=0.5: no such evaluator is served; name one of accuracy" in refused(*one, "tone=0.5")
    assert "--threshold accuracy=1.5: it is no probability" in refused(*one, "accuracy=1.5")
    assert "it is no probability" in refused(*one, "accuracy=nan")
    trained(tmp_path, TOPICS, criterion="topic")
    assert "its classes have no order" in refused("--evaluator", str(tmp_path), "--threshold", "topic=0.5")


def test_a_port_that_is_taken_is_told(service: Served) -> None:
    done = run_here(Path(), "serve.py", "--evaluator", ACCURACY, "--port", str(service.port), TUNEPROOF_SERVE_TOKEN="")
    assert done.returncode == 1
    assert f"error: 127.0.0.1:{service.port}: it cannot be listened on (Address already in use" in done.stderr
