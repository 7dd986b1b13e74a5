"""How params.yaml is read: as YAML 1.2, which is how DVC reads it, so that both see the same settings.

PyYAML reads YAML 1.1, where `on` is true, `010` is eight and `1e5` is a text. Here the rules for plain scalars are
those of DVC's reader, ruamel.yaml. What the two could still read differently is refused, and no setting needs it.
"""

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tuneproof.common.errors import UserError, one_line
from tuneproof.settings.base import first_problem
from tuneproof.settings.moved import require_no_moved_settings
from tuneproof.settings.params import AnyParams, Params

PARAMS_FILE = Path("params.yaml")
DVC_FILE = Path("dvc.yaml")

TAG = "tag:yaml.org,2002:"
PLAIN_SCALARS = {  # what is no text in YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), and ruamel's additions
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)", "-+0123456789"),
    "float": (
        r"[-+]?[0-9][0-9_]*(\.[0-9_]*([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)|[-+]?\.[0-9_]+([eE][-+][0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
BASES = {"0b": 2, "0o": 8, "0x": 16}
Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]  # by a scalar's first character


def resolvers_of_yaml_1_2() -> Resolvers:
    """PyYAML's own rules, but for those in which YAML 1.2 differs."""
    replaced = {TAG + name for name in PLAIN_SCALARS}
    found: Resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag not in replaced]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for name, (pattern, firsts) in PLAIN_SCALARS.items():
        for first in firsts:
            found.setdefault(first, []).append((TAG + name, re.compile(rf"(?:{pattern})\Z")))
    return found


class SettingsLoader(yaml.SafeLoader):
    """A safe loader of YAML 1.2 for which a key given twice is an error instead of the last one winning."""

    def fetch_value(self) -> None:
        """Refuses `{a:[b]}`, where only PyYAML sees a key; after a quoted key, as in JSON, both see one."""
        scanner: Any = self  # its own type says nothing of characters
        before, after = scanner.buffer[scanner.pointer - 1], scanner.peek(1)
        if scanner.flow_level and after in ",[]{}" and before not in "'\"":
            raise yaml.MarkedYAMLError(problem="a space is missing after `:`", problem_mark=scanner.get_mark())
        scanner_of_yaml: Any = super()
        scanner_of_yaml.fetch_value()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuses `%YAML 1.1`, which only DVC's reader would follow, and tags, which no setting needs."""
        parser: Any = self  # its own type says nothing of events
        event = parser.peek_event()
        tag = getattr(event, "tag", None)
        if tag or parser.yaml_version:
            found = f"the tag {one_line(tag, 40)}" if tag else "the line %YAML"
            raise yaml.MarkedYAMLError(problem=f"{found} is not read here", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuses repeated keys."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            merge = key_node.tag == TAG + "merge"
            key = key_node.value if merge else self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and (merge, key) in seen:
                raise yaml.MarkedYAMLError(problem=f"'{key}' is given twice", problem_mark=key_node.start_mark)
            if isinstance(key, Hashable):
                seen.add((merge, key))
        return super().construct_mapping(node, deep=deep)

    def construct_int(self, node: yaml.ScalarNode) -> int:
        """Reads a whole number; `010` is ten and `0o10` eight."""
        text = str(node.value).replace("_", "")
        digits = text.lstrip("-+")
        base = BASES.get(digits[:2], 10)
        number = int(digits if base == 10 else digits[2:], base)
        return -number if text.startswith("-") else number

    def refuse_date(self, node: yaml.ScalarNode) -> None:
        """No setting is a date, and the readers disagree on times of day."""
        found = f"{one_line(node.value, 40)} is a date to YAML, put it in quotes"
        raise yaml.MarkedYAMLError(problem=found, problem_mark=node.start_mark)


SettingsLoader.yaml_implicit_resolvers = resolvers_of_yaml_1_2()
SettingsLoader.add_constructor(TAG + "int", SettingsLoader.construct_int)
SettingsLoader.add_constructor(TAG + "timestamp", SettingsLoader.refuse_date)


class SettingsDumper(yaml.SafeDumper):
    """Writes what SettingsLoader reads back as it was: quotes around texts that YAML 1.2 takes for something else."""


SettingsDumper.yaml_implicit_resolvers = SettingsLoader.yaml_implicit_resolvers


def parse_settings(text: str) -> Any:
    """The content of a YAML text as DVC reads it. Raises a yaml.YAMLError, a ValueError or a RecursionError."""
    return yaml.load(text, Loader=SettingsLoader)  # noqa: S506 (a SafeLoader)


def settings_text(values: Mapping[str, Any]) -> str:
    """Settings as YAML, in their order."""
    return yaml.dump(values, Dumper=SettingsDumper, sort_keys=False)


def require_tracked_sections() -> None:
    """Raises a UserError for a section that DVC tracks and that params.yaml leaves out.

    The stages could do without it, but DVC would stop at the first of them that tracks it, after hours of generating.
    """
    if not DVC_FILE.is_file():
        return
    stages = parse_settings(DVC_FILE.read_text(encoding="utf-8"))["stages"].values()
    tracked = {name for stage in stages for name in stage.get("do", stage).get("params", []) if "$" not in name}
    settings = parse_settings(PARAMS_FILE.read_text(encoding="utf-8"))
    for name in sorted(tracked - settings.keys()):
        remedy = f"write `{name}: {{}}`"
        raise UserError(f"{PARAMS_FILE}, {name}", "it is missing, and DVC wants to see it there", remedy)


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Reads and checks params.yaml; raises a UserError that names the setting that is wrong."""
    return load_sections(Params, path)


def load_sections(kind: type[AnyParams], path: Path = PARAMS_FILE) -> AnyParams:
    """Reads and checks the sections of params.yaml that belong to `kind`; the others may be wrong or missing."""
    try:
        values = parse_settings(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(str(path), "there is no such file here", "run this in the project's root") from None
    except OSError as error:
        found = f"it cannot be read ({error.strerror or error})"
        raise UserError(str(path), found, "restore it from Git") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 0b_ is no number
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        found = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else one_line(error)
        found = getattr(error, "problem", None) or found
        raise UserError(where, f"its YAML cannot be read: {found}", "correct it") from None
    if not isinstance(values, dict):
        raise UserError(str(path), "it holds no settings", "restore it from Git")
    require_no_moved_settings(str(path), values)
    try:
        others = Params.model_fields.keys() - kind.model_fields
        return kind.model_validate({name: value for name, value in values.items() if name not in others})
    except UnicodeEncodeError:  # "\\ud800" is YAML, and no text
        raise UserError(str(path), "it holds half of a surrogate pair, which is no character", "correct it") from None
    except ValidationError as error:
        place, problem = first_problem(error)
        raise UserError(f"{path}, {place}" if place else str(path), problem, "correct the setting") from None
