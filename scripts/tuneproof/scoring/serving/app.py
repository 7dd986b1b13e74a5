"""The service's answers: scores, a page to try it, its documentation, its health and its counters."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof.endpoint.listening import PRIVATE_HEADERS, inline_page
from tuneproof.scoring.serving.desk import Desk, Fail, UnknownEvaluatorError
from tuneproof.scoring.serving.door import OPEN, Door
from tuneproof.scoring.serving.messages import Answered, Asked, Problem
from tuneproof.scoring.serving.metrics import Metrics
from tuneproof.scoring.serving.work import BoundedWork, BusyError

if TYPE_CHECKING:
    from fastapi import FastAPI, Response

PLAYGROUND = Path(__file__).parent / "playground"
PATHS = (*OPEN, "/score", "/metrics")
LIMITS = ("too_long", "string_too_long")  # pydantic's names for what is over a limit
RETRY_AFTER_SECONDS = 1
STATUSES = {
    401: "The token is missing or wrong", 408: "The request took too long to arrive", 413: "Over a limit",
    422: "Not what is asked for", 429: "Busy; see Retry-After", 504: "Time ran out with --fail closed",
}  # fmt: skip


@dataclass(frozen=True)
class Service:
    """All that the service is made of."""

    desk: Desk
    work: BoundedWork
    token: str | None = None
    timeout_seconds: float = 5.0
    fail: Fail = "closed"


def application(service: Service) -> "FastAPI":
    """The service as an ASGI application."""
    from fastapi import FastAPI

    metrics = Metrics(service.work)
    app = FastAPI(
        title="Tuneproof evaluators", version="1", docs_url=None, redoc_url=None, redirect_slashes=False,
        description=f"Scores answers by {', '.join(service.desk.evaluators)}.",
    )  # fmt: skip
    add_problems(app)
    add_scores(app, service, metrics)
    add_health(app, service, metrics)
    add_pages(app)

    def count(path: str, status: int) -> None:
        metrics.requests.labels(path if path in PATHS else "other", str(status)).inc()

    app.add_middleware(Door, token=service.token, count=count)
    return app


def problem(reason: str, status: int, **headers: str) -> "Response":
    """A problem in one line."""
    from fastapi.responses import JSONResponse

    return JSONResponse({"error": reason}, status, PRIVATE_HEADERS | headers)


def add_problems(app: "FastAPI") -> None:
    """What is answered to requests that are not what is asked for."""
    from fastapi import Request, Response
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        reason, status = first_problem(error.errors())
        return problem(reason, status)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return problem(str(error.detail), error.status_code, **(error.headers or {}))


def add_scores(app: "FastAPI", service: Service, metrics: Metrics) -> None:
    """The scores."""
    from fastapi import Depends
    from fastapi.responses import JSONResponse
    from fastapi.security import HTTPBearer

    @app.post(
        "/score", response_model=Answered, summary="Score up to 32 answers",
        dependencies=[Depends(HTTPBearer(auto_error=False))] if service.token else [],  # for the documentation
        responses={status: {"model": Problem, "description": text} for status, text in STATUSES.items()},
    )  # fmt: skip
    async def score(asked: Asked) -> Any:
        started = time.perf_counter()
        try:
            names = service.desk.named(asked)
            work = partial(service.desk.score, asked.items, names)
            answered: Answered = await service.work.do(work, service.timeout_seconds)
        except UnknownEvaluatorError as error:
            return problem(str(error), 422)
        except BusyError:
            return problem("busy; try again", 429, **{"Retry-After": str(RETRY_AFTER_SECONDS)})
        except TimeoutError:
            metrics.timed_out.inc()
            status = 200 if service.fail == "open" else 504
            unscored = service.desk.unscored(asked.items, service.fail)
            return JSONResponse(unscored.model_dump(), status, PRIVATE_HEADERS)
        metrics.seconds.observe(time.perf_counter() - started)
        count_scores(metrics, answered)
        return JSONResponse(answered.model_dump(), 200, PRIVATE_HEADERS)


def add_health(app: "FastAPI", service: Service, metrics: Metrics) -> None:
    """What those read who watch over the service."""
    from fastapi.responses import PlainTextResponse, Response

    @app.get("/healthz", summary="Whether the process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Which evaluators are loaded")
    async def readyz() -> dict[str, Any]:
        contents = {name: one.content for name, one in service.desk.evaluators.items()}
        return {"status": "ready", "evaluators": contents}

    @app.get("/metrics", include_in_schema=False)
    async def show_metrics() -> Response:
        return PlainTextResponse(metrics.text(), headers=PRIVATE_HEADERS)


def add_pages(app: "FastAPI") -> None:
    """The pages: to try an answer, and the documentation."""
    from fastapi.responses import HTMLResponse, Response

    page, page_headers = inline_page(PLAYGROUND)

    @app.get("/", include_in_schema=False)
    async def playground() -> Response:
        return HTMLResponse(page, headers=page_headers)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(documentation(app.openapi()), headers=page_headers)


def first_problem(errors: Sequence[Any]) -> tuple[str, int]:
    """The first thing that is wrong with a request, in one line that repeats none of its texts, and its status."""
    first = errors[0]
    kind = str(first["type"])
    place = ".".join(str(part) for part in first["loc"][1:])
    if kind == "json_invalid":
        return "the body is not JSON", 422
    if kind == "extra_forbidden":  # its name is the request's own text
        return "an unknown field; known are items (output, input, ground_truth) and evaluators", 422
    if kind == "value_error":
        return str(first["msg"]).removeprefix("Value error, "), 422
    if not place:
        return "send a JSON object with `items`, as application/json", 422
    return f"{place}: {first['msg']}", 413 if kind in LIMITS else 422


def count_scores(metrics: Metrics, answered: Answered) -> None:
    """Counts what was said of answers."""
    for result in answered.results:
        for name, score in result.scores.items():
            metrics.items.labels(name, str(score.passed).lower()).inc()
            metrics.probability.labels(name).observe(score.probability)


def documentation(schema: dict[str, Any]) -> str:
    """The OpenAPI description as a page that needs no network and no script."""
    parts = [
        f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation.get('summary', ''))}</p>"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]
    for name, model in schema["components"]["schemas"].items():
        if model.get("type") == "object" and "Validation" not in name:
            description = escape(" ".join(model.get("description", "").split()))
            rows = "".join(
                f"<tr><th scope=row>{escape(field)}</th><td>{escape(kind_of(value))}</td>"
                f"<td>{'required' if field in model.get('required', ()) else ''}</td></tr>"
                for field, value in model["properties"].items()
            )
            parts.append(f"<h2>{escape(name)}</h2><p>{description}</p><table>{rows}</table>")
    style = (PLAYGROUND / "page.css").read_text(encoding="utf-8")  # the one that the playground's policy allows
    title, description = escape(schema["info"]["title"]), escape(schema["info"]["description"])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'<style>{style}</style><title>{title}</title><main class="reading"><h1>{title}</h1><p>{description}</p>'
        '<p>As a schema: <a href="/openapi.json">/openapi.json</a>. To try it: <a href="/">the playground</a>.</p>'
        f"{''.join(parts)}</main></html>"
    )


def kind_of(value: dict[str, Any]) -> str:
    """A field's kind in words."""
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "anyOf" in value:
        return " or ".join(kind_of(one) for one in value["anyOf"])
    if value.get("type") == "array":
        most = f", at most {value['maxItems']}" if "maxItems" in value else ""
        return f"list of {kind_of(value['items'])}{most}"
    most = f", at most {value['maxLength']} characters" if "maxLength" in value else ""
    return f"{value.get('type', 'object')}{most}"
