"""The report's page of a made-up run, and what the tests of its answer browser read from it."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.made_up.run import Shape, finished
from tuneproof.results.report.browser.script import SCRIPT_DIRECTORY

Question = dict[str, Any]
NO_DATA = '{"models": [], "baseline": "", "questions": [], "criteria": [], "checks": []}'
POLICY = "default-src 'none'"


def plain_page(directory: Path) -> Path:
    """The page of 120 questions, with answers that could not be scored and checks that found something."""
    return finished(directory, Shape(questions=120, unusable=0.1, run="embedded"), some_checks_fail)


def some_checks_fail(directory: Path) -> None:
    """Every third of a model's checks finds something."""
    path = directory / "data/checks/sft.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[::3]:
        row["scores"]["no_loop"], row["reasons"] = 0.0, {"no_loop": "it says <b>one</b> thing again"}
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def all_questions(page: Page) -> list[Question]:
    """What the page holds of every question."""
    found: list[Question] = json.loads(page.locator("#data").text_content() or "")["questions"]
    return found


def shown(page: Page) -> int:
    """How many questions are left."""
    text = page.locator("#count").inner_text()
    return 0 if text.startswith("No question") else int(text.split(" of ")[0].replace(",", ""))


def saved(page: Page, kind: str) -> str:
    """What the file holds that a button of the page makes."""
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile(f"^Download .* as {kind}$")).click()
    return Path(download.value.path()).read_text(encoding="utf-8-sig")


def script(page: Page, *parts: str) -> str:
    """The parts of the report's script by name, in a page that may fetch nothing."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    page.set_content(f'{policy}<script type="application/json" id="data">{NO_DATA}</script><main></main>')
    return "\n".join((SCRIPT_DIRECTORY / f"{name}.js").read_text(encoding="utf-8") for name in parts)
