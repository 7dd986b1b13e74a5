"""Tables of rows, such as the test questions: from a Hub dataset at one commit, or from a file of this machine."""

import codecs
import csv
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tuneproof.common.errors import UserError, one_line
from tuneproof.sources.hub.downloads import Resolved, download_dataset, quiet_progress

FORMATS = {".jsonl": "json lines", ".csv": "csv", ".txt": "text", ".parquet": "parquet"}
DEFAULT_SUBSET = "default"  # the library's own name where a dataset names none
SHOWN_NAMES = 20
MAX_CSV_FIELD_CHARACTERS = 10_000_000


def is_local_table(dataset: str) -> bool:
    """Whether a dataset setting names a file of this machine rather than a Hub dataset."""
    return Path(dataset).suffix.lower() in FORMATS


def load_hub_table(
    resolved: Resolved,
    split: str,
    columns: Sequence[str],
    *,
    subset: str | None = None,
    wanted: Sequence[str] = (),
    token: str | None = None,
) -> list[dict[str, Any]]:
    """Rows of one split of a Hub dataset at its pinned commit: the columns asked for, and those `wanted` if there.

    The files come through the Hub client's cache, so what was loaded once loads offline. No code of the dataset is run.
    Raises a UserError that names the subsets, splits or columns there are.
    """
    where, folder = f"dataset {resolved.id}", str(download_dataset(resolved, token=token))
    with _readable_errors(where):
        import datasets

        _check_subset(where, subset, datasets.get_dataset_config_names(folder))
    return _load(where, split, columns, folder, {"name": subset}, wanted)


def _check_subset(where: str, subset: str | None, known: Sequence[str]) -> None:
    """Raises a UserError where there are several subsets and none is chosen, or one that is not there."""
    listed = ", ".join(one_line(name, 40) for name in known[:SHOWN_NAMES]) + (", ..." * (len(known) > SHOWN_NAMES))
    if subset is None and len(known) > 1 and DEFAULT_SUBSET not in known:
        raise UserError(where, f"it has {len(known)} subsets: {listed}", "name one in questions.subset")
    if subset is not None and subset not in known:
        raise UserError(where, f"there is no subset {one_line(subset, 40)}, only {listed}", "correct questions.subset")


def load_local_table(
    file: str | Path, columns: Sequence[str] | None, wanted: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Rows of a .jsonl, .csv, .txt or .parquet file: the columns asked for (None: all), and those `wanted` if there.

    A .txt file has tabs between its fields, and their names in its first line. An empty field
    of it or of a .csv file is null, and so is a NaN. Raises a UserError that names the line or the columns there
    are.
    """
    path = Path(file)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UserError(str(file), "it is in no format that is read here", "give a .jsonl, .csv, .txt or .parquet file")
    if not path.is_file():
        raise UserError(str(file), "there is no such file", "correct the path (it is relative to the project's root)")
    if path.stat().st_size == 0:
        raise UserError(str(file), "the file is empty", "give a file with at least one row")
    options: dict[str, Any] = {"data_files": escape(str(path))}
    _check_encoding(path)
    if suffix == ".jsonl":  # the library would turn texts that look like dates into dates
        return _chosen(str(file), _json_lines(path), columns, wanted)
    if suffix == ".txt":
        return _chosen(str(file), _text_lines(path), columns, wanted)
    if suffix == ".csv":
        _check_csv(path)  # without the options the answer "NA" is missing and the id "007" is 7
        options |= {"keep_default_na": False, "converters": dict.fromkeys(_csv_columns(path), str)}
    rows = _load(str(file), "train", columns, FORMATS[suffix], options, wanted)
    if suffix == ".csv":
        return [{column: value or None for column, value in row.items()} for row in rows]
    return rows


def _csv_columns(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig") as file:  # a byte order mark is no part of the first name
        return next(csv.reader(file), [])


def _check_encoding(path: Path) -> None:
    """Names a text in UTF-16, which no reader here takes: what each says of it by itself misleads."""
    with path.open("rb") as file:
        if path.suffix.lower() != ".parquet" and file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise UserError(str(path), "it is written in UTF-16", "save it in UTF-8")


def _json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file, one in each line. Raises a UserError that names the first line that is none."""
    rows = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_constant=lambda name: None)  # NaN, which is no JSON and no text
                json.dumps(row, ensure_ascii=False).encode()  # half a character cannot be written again
            except (ValueError, RecursionError) as error:
                found = f"this is not JSON ({one_line(str(error))})"
                raise UserError(f"{path}, line {number}", found, "mend or remove the line") from None
            if not isinstance(row, dict):
                raise UserError(f"{path}, line {number}", "this is not a JSON object", "write one {...} per line")
            rows.append(row)
    _check_rows(path, len(rows))
    return rows


def _text_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a text file below the one with the names, nothing in them quoted. Raises a UserError."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except UnicodeDecodeError as error:
        raise UserError(str(path), f"this is no text in UTF-8 ({one_line(str(error))})", "save it as such") from None
    names = lines[0].split("\t") if lines else []
    _check_header(path, names)
    rows = []
    for number, line in enumerate(lines[1:], start=1):
        fields = line.split("\t")
        if len(fields) != len(names):
            found = f"there are {len(fields)} fields under {len(names)} names"
            raise UserError(f"{path}, row {number}", found, "put one tab between fields, and none into them")
        rows.append({name: field or None for name, field in zip(names, fields, strict=True)})
    _check_rows(path, len(rows))
    return rows


def _chosen(
    where: str, rows: list[dict[str, Any]], columns: Sequence[str] | None, wanted: Sequence[str]
) -> list[dict[str, Any]]:
    """The columns asked for; a row that lacks one has null there."""
    known = list(dict.fromkeys(name for row in rows for name in row))
    for column in columns or ():
        _check_name(where, "column", column, known)
    chosen = _with_wanted(columns or known, wanted, known)
    return [{column: row.get(column) for column in chosen} for row in rows]


def _with_wanted(columns: Sequence[str], wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """The columns asked for and those of the wanted ones that are there, each once."""
    return list(dict.fromkeys([*columns, *(name for name in wanted if name in known)]))


def _check_csv(path: Path) -> None:
    """Names the first row of another width than the header: the reader would shift its fields by a column."""
    csv.field_size_limit(MAX_CSV_FIELD_CHARACTERS)
    width, rows = 0, -1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                rows += bool(row)
                if row and not width:
                    width = len(row)
                    _check_header(path, row)
                if row and len(row) != width:
                    found = f"there are {len(row)} fields under a header of {width}"
                    raise UserError(f"{path}, line {reader.line_num}", found, "quote fields that hold commas")
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(str(path), f"this is not CSV in UTF-8 ({one_line(str(error))})", "save it as such") from None
    _check_rows(path, rows)


def _check_header(path: Path, names: Sequence[str]) -> None:
    """Names a column that stands there twice: one of the two would be dropped."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UserError(str(path), f"the column {name[:40]!r} stands there twice", "rename or remove one of them")


def _check_rows(path: Path, rows: int) -> None:
    if rows < 1:
        raise UserError(str(path), "the file has no rows", "give a file with at least one row")


def _load(
    where: str, split: str, columns: Sequence[str] | None, path: str, options: dict[str, Any], wanted: Sequence[str]
) -> list[dict[str, Any]]:
    import datasets

    quiet_progress()
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    datasets.logging.set_verbosity(logging.CRITICAL)  # what it logs on a broken file comes as an exception too
    # A cache of its own for each call: nothing stale is read, and nothing is left behind.
    with TemporaryDirectory(prefix="tables-") as cache, _readable_errors(where):
        builder = datasets.load_dataset_builder(path, cache_dir=cache, **options)
        _check_name(where, "split", split, [str(name) for name in builder.config.data_files or ()])
        builder.download_and_prepare()
        table = builder.as_dataset(split=split)
        for column in columns or ():
            _check_name(where, "column", column, table.column_names)
        chosen = _with_wanted(columns or table.column_names, wanted, table.column_names)
        rows: list[dict[str, Any]] = table.select_columns(chosen).to_list()
    if not rows:
        raise UserError(where, f"split {split} has no rows", "give a table with at least one row")
    return [{column: None if value != value else value for column, value in row.items()} for row in rows]  # NaN


def _check_name(where: str, kind: str, name: str, known: list[str]) -> None:
    if name not in known:
        listed = ", ".join(one_line(each) for each in known[:20])
        raise UserError(where, f"there is no {kind} {name}, only {listed}", f"correct the {kind} in params.yaml")


@contextmanager
def _readable_errors(where: str) -> Iterator[None]:
    """Turns what the reader raises on a broken file into one line; the innermost cause says what is wrong."""
    import datasets.exceptions

    try:
        yield
    except (datasets.exceptions.DatasetsError, ValueError, OSError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        found = f"it cannot be read as a table ({one_line(str(cause) or type(cause).__name__)})"
        raise UserError(where, found, "check the file, or give a .jsonl, .csv or .parquet file") from None
