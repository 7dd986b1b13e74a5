"""The MT-Bench recipe: its settings load as shipped, and a small run on a local server does what its page says."""

import json
from typing import Any

import yaml

from tests.conftest import ROOT, Project
from tests.made_up.judging import rows_of, write_rows
from tests.own_settings import own_settings
from tests.servers.openai.replies import default_scorer
from tests.servers.openai.server import OpenAIServer
from tuneproof.results.details.model import read_details
from tuneproof.settings.params import Params

RECIPE: dict[str, Any] = yaml.safe_load((ROOT / "recipes" / "mt_bench.yaml").read_text())
CATEGORIES = list(RECIPE["generate"]["temperature_by_tag"]["category"])
MODELS = ("tuned", "baseline")
TUNED = "And better"  # what a tuned model's answers begin with


def questions() -> list[dict[str, Any]]:
    """Two for each category, with MT-Bench's columns; the file has no `reference` where there is none."""
    rows = [
        {"question_id": 81 + number, "category": category, "turns": [f"Do {number}.", f"Do {number} again, shorter."]}
        for number, category in enumerate(CATEGORIES * 2)
    ]
    for row in rows[:3]:
        row["reference"] = ["Done.", "Done again."]
    return rows


def test_the_settings_load_as_shipped() -> None:
    settings = own_settings() | RECIPE
    settings["models"] = {"baseline": {"id": "organisation/model", "prompt": "chat"}}
    params = Params.model_validate(settings)
    assert params.scales["judge"] == {"quality": (1.0, 10.0)}
    assert len(CATEGORIES) == 8
    assert params.judge.per == "turn" and params.compare.enabled


def test_a_small_run_asks_at_each_category_s_temperature_and_grades_and_compares_both_turns(project: Project) -> None:
    asked = list[dict[str, Any]]()

    def serves(body: dict[str, Any]) -> str:
        if "response_format" in body:
            return default_scorer(body)
        asked.append(body)
        return f"{TUNED if body['model'] == 'tuned' else 'Well'}, {len(body['messages'])}."

    with OpenAIServer(scorer=serves) as server:
        served = {"engine": "endpoint", "prompt": "chat", "base_url": server.base_url, "served_as": "ours"}
        write_rows(project, "mt_bench.jsonl", questions())
        project.set(**RECIPE | {"generate": project.params()["generate"] | RECIPE["generate"]})
        project.set(
            judge=RECIPE["judge"] | {"base_url": server.base_url}, baseline="baseline",
            models={model: served | {"id": model} for model in MODELS},
        )  # fmt: skip
        said = project.run_ok("validate.py")
        for stage in ("generate.py", "judge.py", "compare.py", "check.py"):
            for model in MODELS:
                project.run_ok(stage, model)
    project.run_ok("aggregate.py")
    assert "column turns: a list of turns, 16 of 2 turns; 0 with history, 0 with a system message, 3 with a" in said
    temperatures = RECIPE["generate"]["temperature_by_tag"]["category"]
    category = {row["turns"][0]: row["category"] for row in questions()}
    assert len(asked) == 2 * 2 * len(category)
    for body in asked:
        assert body["temperature"] == temperatures[category[body["messages"][0]["content"]]]
    assert len(rows_of(project, "judgements", "tuned")) == 32
    assert len(rows_of(project, "comparisons", "tuned")) == 64
    details = read_details(project.root / "data" / "details" / "tuned.json")
    assert {one.value for one in details.slices if one.tag == "category"} == set(CATEGORIES)
    assert {one.value for one in details.slices if one.tag == "turn"} == {"1 of 2", "2 of 2"}
    assert details.criteria["quality"].scored == 16
    engines = json.loads((project.root / "data" / "engines" / "tuned.json").read_text())
    assert engines[0]["temperature_by_tag"]["category"]["math"] == 0.0
