"""Files of the pipeline, spoiled as disks, editors, other tools and enemies spoil them; repeatable from a seed."""

import json
import random
from collections.abc import Callable
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 3, 999, 2.5, 1e308, -0.0, 10**30, "", "3", "true", "x" * 3_000, [], {}, [[]], [None],
    {"a": {"b": {}}}, float("nan"), float("inf"), "\ud800", "a\x00b\u2028\u202e", "../../etc/passwd", "${jndi:ldap}",
)  # fmt: skip
ODD_BYTES = (
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n\n", b"{", b"}", b"[", b'"', b"\\ud800", b"NaN",
    b"[" * 100_000,
    b'{"a":' * 30_000, b"9" * 5_000, b": ", b"- ", b"\t", b"#", b"&a", b"*a", b"!!python/object:os.system", b"\x1b[2J",
)  # fmt: skip


def spoiled_bytes(content: bytes, choose: random.Random) -> bytes:
    """Cuts, doubles, swaps or inserts a few bytes."""
    for _ in range(choose.randint(1, 3)):
        first, second = sorted(choose.randrange(len(content) + 1) for _ in range(2))
        action = choose.randrange(5)
        if action == 0:
            content = content[:first]
        elif action == 1:
            content = content[:first] + content[second:]
        elif action == 2:
            content = content[:second] + content[first:]
        elif action == 3:
            content = content[:first] + choose.choice(ODD_BYTES) + content[first:]
        else:
            content = content[:first] + bytes([choose.randrange(256)]) + content[first + 1 :]
    return content


def places_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a tree of plain data."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inside for place in places_of(one, (*path, key)))]


def spoiled_value(value: Any, choose: random.Random) -> Any:
    """A copy of plain data with an odd value, a missing or an unknown key somewhere in it."""
    value = json.loads(json.dumps(value))
    path = choose.choice(places_of(value))
    if not path:
        return choose.choice(ODD_VALUES)
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    action = choose.randrange(4)
    if action == 0:
        del parent[path[-1]]
    elif action == 1 and isinstance(parent, dict):
        parent[choose.choice(("x", "", "score", "id", "\ud800"))] = choose.choice(ODD_VALUES)
    else:
        parent[path[-1]] = choose.choice(ODD_VALUES)
    return value


def spoiled_lines(content: bytes, choose: random.Random) -> bytes:
    """JSON Lines with a spoiled value, a row lost, doubled or moved, or spoiled bytes."""
    lines = content.splitlines()
    number = choose.randrange(len(lines))
    action = choose.randrange(6)
    if action == 0:
        return spoiled_bytes(content, choose)
    if action == 1:
        lines[number] = spoiled_bytes(lines[number], choose)
    elif action == 2:
        lines.insert(choose.randrange(len(lines)), choose.choice((lines[number], lines.pop(number))))
    else:
        lines[number] = json.dumps(spoiled_value(json.loads(lines[number]), choose)).encode()
    return b"\n".join(lines) + choose.choice((b"\n", b"\n", b"", b"\r\n"))


def spoiled_settings(
    content: bytes, choose: random.Random, dump: Callable[[Any], str], load: Callable[[str], Any]
) -> bytes:
    """Settings with a spoiled value or spoiled bytes."""
    if choose.random() < 0.4:
        return spoiled_bytes(content, choose)
    return dump(spoiled_value(load(content.decode()), choose)).encode("utf-8", "surrogatepass")
