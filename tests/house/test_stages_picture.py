"""README.md draws the stages as dvc.yaml has them."""

from tests.conftest import ROOT
from tests.house.stages_picture import stages_picture, without_detours


def test_the_readme_draws_the_stages_as_dvc_does() -> None:
    assert stages_picture() in (ROOT / "README.md").read_text(encoding="utf-8"), (
        "run `PYTHONPATH=scripts:. python -m tests.house.stages_picture`"
    )


def test_an_arrow_is_left_out_only_where_a_longer_way_leads_there() -> None:
    assert without_detours({("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("a", "d")}) == {
        ("a", "b"), ("b", "c"), ("c", "d"),
    }  # fmt: skip
    assert without_detours({("a", "b"), ("a", "c")}) == {("a", "b"), ("a", "c")}
