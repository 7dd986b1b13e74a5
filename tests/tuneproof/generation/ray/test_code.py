"""What is shipped to the nodes."""

from tests.house.rooms import CHOSEN, PACKAGE, SCRIPTS, imported
from tuneproof.generation.ray.code import ROOMS, shipped_code


def test_what_a_replica_imports_is_shipped_and_nothing_else_of_the_project() -> None:
    waiting = {SCRIPTS / "tuneproof/generation/ray/pool.py", *SCRIPTS.glob(CHOSEN["generate"])}
    reached = set(waiting)
    while waiting:
        new = imported(waiting.pop()) - reached
        reached |= new
        waiting |= new
    assert {path.relative_to(PACKAGE).parts[0] for path in reached} == set(ROOMS)
    with shipped_code() as folder:
        assert {path.name for path in folder.iterdir()} == {"tuneproof"}
        assert {path.name for path in (folder / "tuneproof").iterdir()} == {"__init__.py", *ROOMS}
        assert all(path.suffix == ".py" for path in folder.rglob("*") if path.is_file())
        assert (folder / "tuneproof" / "generation" / "ray" / "replica.py").is_file()
    assert not folder.exists()
