"""Takes the picture of the report that README.md shows: the first screen of the demonstration's, light, in Chromium.

Reads   report/index.html (`make demo` writes it)
Writes  docs/images/report.png
Run     PYTHONPATH=scripts:. python -m tests.house.report_picture
"""

from pathlib import Path

from tests.browser import chromium

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "report.png"
WIDTH, HEIGHT = 1100, 860  # pixels


def main() -> None:
    """Takes it."""
    PICTURE.parent.mkdir(exist_ok=True)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto((ROOT / "report" / "index.html").as_uri())
        page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
