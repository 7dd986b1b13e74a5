"""Every exception of the pipeline, and how a script ends when one is raised."""

import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType

from tuneproof.common.interrupts import Interrupted, Interrupts
from tuneproof.common.processes import end_with_parent

STANDARD_STREAMS = (0, 1, 2)
READER_GONE = 141  # as a shell says of who was ended by SIGPIPE
INTERRUPTED = "interrupted; what was finished is kept, run the same command again to go on"


class UserError(Exception):
    """Something that the user or the outside world must change: one line, exit 1, no traceback."""

    def __init__(self, where: str, found: str, remedy: str) -> None:
        """Takes the place (a file, setting or service), what was found there, and what to do about it."""
        super().__init__(f"{where}: {found}; {remedy}")
        self.where, self.found, self.remedy = where, found, remedy

    def __reduce__(self) -> tuple[type["UserError"], tuple[str, str, str]]:
        return type(self), (self.where, self.found, self.remedy)


class SeveralMistakesError(UserError):
    """Several mistakes that are best told at once, a line each."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        """Takes at least one."""
        super().__init__(errors[0].where, errors[0].found, errors[0].remedy)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class OutOfReachError(UserError):
    """A service did not answer at all; only what is known without it may go on."""


def one_line(text: object, characters: int = 200, secret: str | None = None) -> str:
    """What somebody else wrote, in one short line without control characters and without a secret."""
    shown = str(text).replace(secret, "***") if secret else str(text)
    printable = "".join(letter if letter.isprintable() else " " for letter in shown[: 10 * characters])
    line = " ".join(printable.split())
    return line if len(line) <= characters else line[: characters - 3] + "..."


def shortened(error: BaseException, characters: int = 160) -> str:
    """An exception of a library in one short line without control characters, for a UserError."""
    return one_line(f"{type(error).__name__}: {error}", characters)


def say(line: str) -> None:
    """Prints one plain line for a person to standard error, where progress goes too.

    What cannot be shown is dropped: no run ends for a full disk behind a log, or for a reader that is gone.
    """
    if sys.stderr is not None:  # as it is where it was closed before Python began
        with suppress(OSError, ValueError):  # a ValueError comes from a file that is closed
            print(" ".join(line.split()), file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """Prints a warning that stops nothing."""
    say(f"warning: {line}")


def say_error(error: UserError) -> None:
    """Prints what a person must change, one `error:` line for each mistake."""
    for one in error.errors if isinstance(error, SeveralMistakesError) else (error,):
        say(f"error: {one}")


def run(main: Callable[[], None]) -> None:
    """Runs a script's main: a UserError becomes `error:` lines and exit 1, a signal one line and 128 + its number."""
    open_standard_streams()
    try:
        with Interrupts():
            end_with_parent()
            main()
            if sys.stdout is not None:
                sys.stdout.flush()
    except UserError as error:
        say_error(error)
        sys.exit(1)
    except BrokenPipeError:
        if not reader_is_gone():
            raise
        sys.exit(READER_GONE)
    except KeyboardInterrupt as interrupt:
        say(INTERRUPTED)
        end_at_once_when_interrupted()
        sys.exit(interrupt.exit_code if isinstance(interrupt, Interrupted) else Interrupted().exit_code)
    finally:
        drop_what_cannot_be_shown()


def reader_is_gone() -> bool:
    """Whether nobody reads standard output any more, as after `| head`; what it still holds is then dropped."""
    asked = select.poll()
    asked.register(STANDARD_STREAMS[1], 0)
    if not any(events & select.POLLERR for _, events in asked.poll(0)):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STANDARD_STREAMS[1])
    os.close(nowhere)
    return True


def open_standard_streams() -> None:
    """Opens what was closed (`2>&-`) to nowhere: else the next file opened would get its number, and its output."""
    opened = os.open(os.devnull, os.O_RDWR)
    while opened in STANDARD_STREAMS:
        opened = os.dup(opened)
    os.close(opened)
    if sys.stderr is None:
        sys.stderr = open(STANDARD_STREAMS[-1], "w", closefd=False)  # noqa: SIM115 - as long as the process


def end_at_once_when_interrupted() -> None:
    """A further Ctrl-C ends the process with nothing said, whatever it is still doing."""
    with suppress(ValueError):  # only the main thread may say so
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def drop_what_cannot_be_shown() -> None:
    """Sends what standard error still holds to nowhere where it cannot be written: Python would exit with 120."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except (OSError, ValueError):
        if sys.stderr is sys.__stderr__:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, STANDARD_STREAMS[-1])
            os.close(nowhere)


def interrupted_outside_of_run(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python does with an exception that nobody caught; Ctrl-C while a script still loads is one line too."""
    if not issubclass(kind, KeyboardInterrupt) or hasattr(sys, "ps1"):  # at a prompt, Ctrl-C ends a line only
        sys.__excepthook__(kind, error, trace)
        return
    say(INTERRUPTED)
    os._exit(Interrupted().exit_code)  # nothing was begun that would have to be ended
