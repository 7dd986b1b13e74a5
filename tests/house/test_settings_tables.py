"""docs/settings.md says of every setting what params.yaml says."""

from typing import Any

import yaml

from tests.house.settings_tables import PAGE, comments, settings_page
from tests.own_settings import committed, shipped
from tuneproof.settings.params import Params

STAGES = {"generate": {"do": {"params": ["models.${key}", "generate"]}}, "judge": {"do": {"params": ["judge"]}}}
SETTINGS = """# The file.

dummy: false                  # true: a | b

# What a model takes.
models:
  sft:
    id: me/model              # of <owner>

judge:                        # who judges
  # Above it.
  model: someone
  panel: []                   # further ones,
                              # however many
  criteria:                   # the rubric
    style: {question: Is it good}
"""


def test_the_settings_page_is_made_from_the_committed_params() -> None:
    stages = yaml.safe_load(committed("dvc.yaml"))["stages"]
    remedy = f"run `python -m tests.house.settings_tables` and commit {PAGE} with params.yaml"
    assert committed(PAGE) == settings_page(shipped("params.yaml"), stages), remedy


def test_a_comment_stands_above_a_setting_or_beside_it_and_may_go_on_below() -> None:
    words = comments(SETTINGS)
    assert words["dummy",] == "true: a | b"
    assert words["models",] == "What a model takes."
    assert words["judge", "model"] == "Above it."
    assert words["judge", "panel"] == "further ones, however many"


def test_a_section_is_a_table_with_what_tracks_it() -> None:
    page = settings_page(SETTINGS, STAGES)
    assert "| `dummy` | false | true: a \\| b | - |" in page
    assert "## models\n\nWhat a model takes.\n\n" in page
    assert "| `id` | me/model | of \\<owner> | generate |" in page
    assert "| `criteria` | style | the rubric | judge |" in page


def test_a_setting_that_is_left_out_has_the_value_that_the_page_shows() -> None:
    settings = yaml.safe_load(shipped("params.yaml"))
    needed = {
        "baseline": settings["baseline"], "models": settings["models"],
        "questions": {"dataset": settings["questions"]["dataset"]},
        "judge": {"criteria": settings["judge"]["criteria"]}, "compare": {"criteria": settings["compare"]["criteria"]},
        "decision": {"improves": settings["decision"]["improves"]},
    }  # fmt: skip
    but_for: dict[str, Any] = {
        "embedded": True,
        "execution": {"judge": {"prices"}, "sagemaker": {"prices_usd_per_hour"}},
    }
    left_out, given = (Params.model_validate(values).model_dump(exclude=but_for) for values in (needed, settings))
    assert left_out == given
