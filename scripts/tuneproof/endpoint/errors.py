"""How a request to an endpoint may end without a reply."""

from tuneproof.common.errors import UserError


class EndpointStopped(UserError):  # noqa: N818 - names what happened, as UserError's other kinds do
    """The endpoint answers, but further requests are pointless until a person changes something."""


class TransportFailure(Exception):  # noqa: N818 - as above
    """One request got no usable HTTP answer within its attempts; the text says which endpoint's and why.

    It is no UserError, since it ends no run by itself: who counts these says what to do about all of them.
    """


class RequestRejected(Exception):  # noqa: N818 - as above
    """The endpoint will never accept this request: its message in one line, and the API's code where it gave one."""

    def __init__(self, message: str, code: str | None) -> None:
        super().__init__(message)
        self.message, self.code = message, code
