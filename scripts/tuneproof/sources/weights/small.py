"""The small JSON files of a model folder, read with care: they come from anywhere."""

import json
from pathlib import Path
from typing import Any

from tuneproof.common.errors import UserError, one_line


def token_ids(value: Any) -> set[int]:
    """An `eos_token_id`, which may be one number, several or none."""
    return {token for token in (value if isinstance(value, list) else [value]) if isinstance(token, int)}


def read_json(where: str, path: Path, required: bool = True) -> dict[str, Any]:
    """One of a model's JSON files; {} where it may be missing. Raises a UserError when it is needed or broken."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise UserError(where, f"it has no {path.name}", "name a complete model") from None
    except (ValueError, OSError, RecursionError) as error:
        raise UserError(
            where, f"its {path.name} is no JSON ({one_line(error)})", "download or save the model again"
        ) from None
    if not isinstance(document, dict):
        raise UserError(where, f"its {path.name} is no JSON object", "download or save the model again")
    return document
