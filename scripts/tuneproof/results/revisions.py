"""Files of another Git revision or DVC experiment, from Git, DVC's cache or its remote."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tuneproof.common.errors import UserError

NAME_ONE = "name a commit, branch, tag or experiment"


class Revision:
    """A commit, branch, tag or experiment of the project in the current folder."""

    def __init__(self, name: str) -> None:
        """Opens a revision; raises a UserError where there is no such one, or no DVC project here."""
        from dvc.api import DVCFileSystem
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
        from dvc.scm import RevError, resolve_rev

        self.where = f"revision {name[:60]}"
        if not name.strip():  # Git would take it for HEAD, and a run would be compared with itself
            raise UserError("revision", "its name is empty", f"{NAME_ONE}; in CI look at the variable that holds it")
        try:
            with Repo() as repo:
                found = resolve_rev(repo.scm, name)
                commit = resolve_rev(repo.scm, f"{found}^{{commit}}")  # folders and files in Git have such names too
                remote = repo.config["core"].get("remote")  # today's: an old commit may know none
                self.project = PurePosixPath(Path(repo.root_dir).relative_to(repo.scm.root_dir).as_posix())
            # In a repository of several projects this one is below Git's root, which is where DVC looks from then.
            self.commit = str(commit)
            self.files = DVCFileSystem(".", rev=commit, remote=remote, subrepos=self.project != PurePosixPath())
        except RevError:
            remedy = f"{NAME_ONE} (`git log`, `dvc exp show`); in CI fetch the whole history"
            raise UserError(self.where, "there is no such revision", remedy) from None
        except DvcException as error:
            remedy = "run this in the project's root, a DVC project"
            raise UserError(self.where, first_line(error), remedy) from None

    def has(self, path: Path) -> bool:
        """Whether the revision knows a file, wherever its content is."""
        return bool(self.files.exists(self.place(path)))

    def fetch(self, paths: Sequence[Path], into: Path) -> None:
        """Copies files, named relative to the project's root, under the same names into an existing folder.

        Raises a UserError where the revision has no such file, or neither cache nor remote holds its content.
        """
        from dvc.exceptions import DvcException

        for path in paths:
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.files.get_file(self.place(path), str(target))
            except FileNotFoundError:
                raise self.missing(path) from None
            except (DvcException, OSError) as error:
                remedy = "check the DVC remote and its credentials"
                raise UserError(f"{self.where}, {path}", first_line(error), remedy) from None
            if not target.is_file():
                raise self.missing(path)

    def place(self, path: Path) -> str:
        """A path relative to the project's root, as the revision's files are named."""
        return str(self.project / path.as_posix())

    def missing(self, path: Path) -> UserError:
        """The error for a file that the revision does not have, or whose content is nowhere."""
        found = "it is not in that revision, or neither in cache nor remote"
        remedy = "run the pipeline at that revision and `dvc push`, or name another one"
        return UserError(f"{self.where}, {path}", found, remedy)


def first_line(error: Exception) -> str:
    """An error's message, short."""
    return " ".join(str(error).split())[:200] or type(error).__name__
