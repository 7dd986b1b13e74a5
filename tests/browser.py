"""A real headless Chromium for the tests, watched for everything that a page of ours must not do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium. Fails where there is none: a page nobody opened is not tested."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "these tests need a browser: install Debian's package chromium (apt-get install -y chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Opened:
    """An open page and what it did: console messages, errors, dialogs, and requests beyond the file itself."""

    page: Page
    said: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def is_quiet(self) -> bool:
        """Whether nothing ran that should not, nothing was complained about and nothing was fetched."""
        return not self.said and not self.requested and self.page.evaluate("window.ran === undefined")


def watched_page(context: BrowserContext, allowed: tuple[str, ...] = ()) -> Opened:
    """A new page with a listener on everything; requests to addresses that begin as the allowed ones are not noted."""
    watched = Opened(context.new_page())
    watched.page.on("console", lambda message: watched.said.append(message.text))
    watched.page.on("pageerror", lambda error: watched.said.append(str(error)))
    watched.page.on("dialog", lambda dialog: watched.said.append(dialog.message))
    context.on("request", lambda one: None if one.url.startswith(allowed) else watched.requested.append(one.url))
    return watched


@contextmanager
def opened(browser: Browser, path: Path, fragment: str = "", width: int = 1440, **context: Any) -> Iterator[Opened]:
    """Opens a file in a new context, with a listener on everything."""
    address = path.resolve().as_uri()
    with browser.new_context(viewport={"width": width, "height": 900}, **context) as own:
        watched = watched_page(own)
        own.on("page", lambda _: watched.said.append("another page opened"))
        watched.page.goto(address + fragment)
        watched.requested.remove(address)
        yield watched
