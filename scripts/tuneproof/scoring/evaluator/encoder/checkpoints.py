"""Checkpoints of a training: whole ones are gone on from, half-written ones are removed, and none is left at the end.

They hold pickles of PyTorch's (the optimizer's state, the random generators'), so they lie outside every out of DVC,
are read by the training that wrote them alone, and go when it has ended.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from tuneproof.common.places import project_root

COMPLETE = "complete"  # an empty file that is written when all of a checkpoint is there
NAME = re.compile(r"checkpoint-(\d+)")


def checkpoints_of(criterion: str, key: str) -> Path:
    """Where the checkpoints of a training lie; `key` identifies all that determines it. Those of other keys go."""
    parent = project_root() / ".cache" / "evaluator"
    folder = parent / f"{criterion}-{key[:16]}"
    for other in parent.glob(f"{criterion}-*") if parent.is_dir() else ():
        if other != folder and re.fullmatch(rf"{re.escape(criterion)}-[0-9a-f]{{16}}", other.name):
            shutil.rmtree(other)
    return folder


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; half-written ones are removed."""
    whole = []
    for path in folder.glob("checkpoint-*") if folder.is_dir() else ():
        if (path / COMPLETE).is_file() and (match := NAME.fullmatch(path.name)):
            whole.append((int(match[1]), path))
        else:
            shutil.rmtree(path)
    return max(whole)[1] if whole else None


def marking_callback(advance: Any) -> Any:
    """A callback of the Trainer's that marks whole checkpoints, and tells `advance` of each step."""
    from transformers import TrainerCallback

    class Marking(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            if path.is_dir():
                (path / COMPLETE).touch()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            advance()

    return Marking()
