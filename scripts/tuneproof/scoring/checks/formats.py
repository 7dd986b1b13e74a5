"""Checks of an answer's form: JSON, patterns, texts that must or must not stand in it, Python that parses."""

import ast
import json
import re
import warnings
from functools import lru_cache
from typing import Any, NoReturn

from tuneproof.common.errors import one_line
from tuneproof.scoring.checks.finding import Finding, verdict
from tuneproof.settings.evidence.check_kinds import Contains, Edge, Json, Regex

FENCED = re.compile(r"\A\s*```[A-Za-z0-9]*[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)
FENCE = re.compile(r"^[ \t]*```([^\n`]*)\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
PYTHON_FENCES = {"", "py", "python", "python3"}
LONGEST_CODE_CHARACTERS = 100_000  # the parser's memory grows a thousandfold
REASON_CHARACTERS = 160


def json_document(answer: str, settings: Json) -> Finding:
    """1 where the answer is one JSON document that keeps to the schema.

    >>> json_document('{"name": "Ada"}', Json(kind="json", schema={"required": ["name"]}))
    Finding(value=1.0, reason='it is JSON as the schema asks for')
    >>> json_document('{"age": 36}', Json(kind="json", schema={"required": ["name"]}))
    Finding(value=0.0, reason="at the top: 'name' is a required property")
    >>> json_document('Here you are: {}', Json(kind="json")).value
    0.0
    """
    fenced = FENCED.match(answer) if settings.allow_fence else None
    try:
        document = json.loads(fenced[1] if fenced else answer, parse_constant=refuse_constant)
    except RecursionError:
        return Finding(0.0, "it is nested too deeply to be read")
    except ValueError as error:
        return Finding(0.0, f"it is not JSON: {one_line(error, REASON_CHARACTERS)}")
    if settings.schema_text is None:
        return Finding(1.0, "it is JSON")
    return against_schema(document, settings.schema_text)


def refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is no JSON")


def against_schema(document: Any, schema_text: str) -> Finding:
    """Whether a document keeps to a schema; the reason names the first place where it does not."""
    import referencing.exceptions

    try:
        error = next(schema_validator(schema_text).iter_errors(document), None)
    except RecursionError:
        return Finding(0.0, "it is nested too deeply to be compared with the schema")
    except referencing.exceptions.Unresolvable as missing:
        return Finding(None, f"the schema refers to {one_line(missing.ref, 80)}, which is not in it")
    if error is None:
        return Finding(1.0, "it is JSON as the schema asks for")
    place = ".".join(str(part) for part in error.absolute_path) or "the top"
    return Finding(0.0, f"at {one_line(place, 60)}: {one_line(error.message, REASON_CHARACTERS)}")


@lru_cache(maxsize=256)
def schema_validator(schema_text: str) -> Any:
    """What compares documents with a schema. References to elsewhere are not followed: nothing is fetched."""
    import jsonschema
    import referencing

    schema = json.loads(schema_text)
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    return kind(schema, registry=referencing.Registry())


def pattern_found(answer: str, settings: Regex) -> Finding:
    """1 where the pattern is found.

    >>> pattern_found("Call 555-0199.", Regex(kind="regex", pattern=r"[0-9]{3}-[0-9]{4}"))
    Finding(value=1.0, reason="found: '555-0199'")
    >>> pattern_found("Call me.", Regex(kind="regex", pattern=r"[0-9]{3}-[0-9]{4}"))
    Finding(value=0.0, reason='the pattern is not found')
    """
    found = re.search(settings.pattern, answer)
    return verdict(found is not None, f"found: {shown(found[0]) if found else ''}", "the pattern is not found")


def shown(text: str) -> str:
    """A text in a reason: short, on one line, in quotes."""
    return repr(one_line(text, 60))


def texts_present(answer: str, settings: Contains) -> Finding:
    """1 where all of the texts, one of them, or none stands in the answer, as the kind says.

    >>> both = Contains(kind="contains", texts=["Paris", "Seine"])
    >>> texts_present("Paris lies on the Seine.", both)
    Finding(value=1.0, reason="it contains 'Paris', 'Seine'")
    >>> texts_present("Paris lies on a river.", both)
    Finding(value=0.0, reason="it lacks 'Seine'")
    >>> texts_present("Lyon", Contains(kind="contains_any", texts=["Paris", "Seine"]))
    Finding(value=0.0, reason="it lacks 'Paris', 'Seine'")
    >>> texts_present("Paris", Contains(kind="not_contains", texts=["Paris", "Seine"]))
    Finding(value=0.0, reason="it contains 'Paris'")
    """
    said = folded(answer, settings.ignore_case)
    found = [text for text in settings.texts if folded(text, settings.ignore_case) in said]
    lacking = [text for text in settings.texts if text not in found]
    holds = {"contains": not lacking, "contains_any": bool(found), "not_contains": not found}[settings.kind]
    told_by_found = holds != (settings.kind == "not_contains")
    words, texts = ("contains", found) if told_by_found else ("lacks", lacking)
    return Finding(float(holds), f"it {words} {', '.join(shown(text) for text in texts[:5])}")


def folded(text: str, ignore_case: bool) -> str:
    """A text as it is compared."""
    return text.casefold() if ignore_case else text


def edge(answer: str, settings: Edge) -> Finding:
    """1 where the answer begins or ends with the text, white space around it left aside.

    >>> edge(" Dear Sir, no.", Edge(kind="starts_with", text="dear", ignore_case=True))
    Finding(value=1.0, reason="it begins with 'dear'")
    >>> edge("Thanks!", Edge(kind="ends_with", text="Yours, Ada"))
    Finding(value=0.0, reason="it does not end with 'Yours, Ada'")
    """
    said, text = folded(answer.strip(), settings.ignore_case), folded(settings.text.strip(), settings.ignore_case)
    begins = settings.kind == "starts_with"
    holds = said.startswith(text) if begins else said.endswith(text)
    word = "begin" if begins else "end"
    return verdict(holds, f"it {word}s with {shown(settings.text)}", f"it does not {word} with {shown(settings.text)}")


def python_parses(answer: str) -> Finding:
    r"""1 where the answer's Python code parses; it is never run.

    The code is what stands in Markdown fences for Python or for no language, or the whole answer without such a fence.

    >>> python_parses("Try this:\n```python\nprint(1)\n```\nDone.")
    Finding(value=1.0, reason='1 block of Python parses')
    >>> python_parses("```python\nprint(1\n```")
    Finding(value=0.0, reason="line 1: '(' was never closed")
    >>> python_parses("Just call print with one.").value
    0.0
    """
    fenced = FENCE.findall(answer)
    blocks = [code for language, code in fenced if language.strip().lower() in PYTHON_FENCES] or [answer]
    if sum(map(len, blocks)) > LONGEST_CODE_CHARACTERS:
        return Finding(None, f"the code is longer than {LONGEST_CODE_CHARACTERS} characters")
    if not "".join(blocks).strip():
        return Finding(0.0, "there is no code")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the parser says of the model's escapes is nothing for a person here
            for block in blocks:
                ast.parse(block)
    except SyntaxError as error:
        return Finding(0.0, f"line {error.lineno or 0}: {one_line(error.msg, REASON_CHARACTERS)}")
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte, or parentheses within parentheses
        return Finding(0.0, f"Python does not parse it: {one_line(error, REASON_CHARACTERS) or 'nested too deeply'}")
    return Finding(
        1.0, f"{len(blocks)} block{'s' if len(blocks) > 1 else ''} of Python parse{'' if len(blocks) > 1 else 's'}"
    )
