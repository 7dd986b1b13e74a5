"""Every exception of the pipeline, and how a script ends when one is raised."""

import sys
from collections.abc import Callable, Sequence

INTERRUPTED_EXIT_CODE = 130  # 128 + SIGINT, what a shell reports


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
    """Prints one plain line for a person to standard error, where progress goes too."""
    print(" ".join(line.split()), file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """Prints a warning that stops nothing."""
    say(f"warning: {line}")


def say_error(error: UserError) -> None:
    """Prints what a person must change, one `error:` line for each mistake."""
    for one in error.errors if isinstance(error, SeveralMistakesError) else (error,):
        say(f"error: {one}")


def run(main: Callable[[], None]) -> None:
    """Runs a script's main: a UserError becomes `error:` lines and exit 1, Ctrl-C one line and exit 130."""
    try:
        main()
    except UserError as error:
        say_error(error)
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; what was finished is kept, run the same command again to go on")
        sys.exit(INTERRUPTED_EXIT_CODE)
