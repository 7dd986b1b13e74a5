import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.processes import ended_with_test
from tuneproof.records.claims import Claims, place_of

KEY, OTHER = "a" * 64, "b" * 64
HOLD = """
import sys
from pathlib import Path
from tuneproof.records.claims import Claims
with Claims(Path(sys.argv[1])) as claims, claims.claim(sys.argv[2]) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process that claims the key and keeps it; has said so when this returns."""
    process = ended_with_test(subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), KEY],
        env={"PYTHONPATH": str(ROOT / "scripts")}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ))  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    return process


def test_a_key_is_claimed_once_within_a_process(tmp_path: Path) -> None:
    with Claims(tmp_path / "claims") as claims, claims.claim(KEY) as first:
        with claims.claim(KEY) as second, claims.claim(OTHER) as other:
            assert (first, second, other) == (True, False, True)
        with claims.claim(KEY) as still:
            assert not still
    with Claims(tmp_path / "claims") as claims, claims.claim(KEY) as again:
        assert again


def test_what_another_process_is_buying_cannot_be_claimed_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "claims"
    with holder(path) as process, Claims(path) as claims:
        with claims.claim(KEY) as mine, claims.claim(OTHER) as other:
            assert (mine, other) == (False, True)
        process.kill()
        process.wait()
        with claims.claim(KEY) as mine:
            assert mine
    assert path.stat().st_size == 0


def test_every_key_has_a_place_that_a_file_can_have() -> None:
    assert place_of("f" * 64) < 2**63 - 1
    assert place_of("0" * 64) == 0
