"""Addresses within the page: the answer browser with its filters set."""

from urllib.parse import quote, urlencode

from tuneproof.results.report.browser.texts import visible


def browser_link(**filters: str | None) -> str:
    """The address of the browser under filters: model, against, criterion, change, status, finish, slice, order...

    Filters that are None are left out. Values are written as the browser has them, with nothing invisible.

    >>> browser_link(model="sft", slice="topic:gradient descent", status=None)
    '#answers?model=sft&slice=topic:gradient%20descent'
    """
    chosen = {name: visible(value) for name, value in filters.items() if value is not None}
    return f"#answers?{urlencode(chosen, quote_via=quote, safe=':')}"
