"""Scores in the form of the Hub's model cards: written to files, sent only when asked."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData, parse_eval_result_entries

import describe
import publish
from tests.made_up.finished_run import SHA, FinishedRun
from tests.servers.hub.server import HubServer
from tuneproof.common.errors import UserError
from tuneproof.results.publishing.model_index import with_model_index

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # between the client and httpx2

CARD = b"""---
license: apache-2.0
model-index:
- name: Llama-SFT
  results:
  - task: {type: text-generation}
    dataset: {name: MMLU, type: cais/mmlu}
    metrics: [{type: accuracy, value: 0.5}]
---
# Llama-SFT

Text with a line of its own:
---
that stays.
"""


def model_card(text: str) -> ModelCardData:
    """A card as the client reads it."""
    data = ModelCard(text).data
    assert isinstance(data, ModelCardData)
    return data


def run_describe(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["describe.py", *arguments])
    describe.main()


def index_of(key: str) -> list[dict[str, Any]]:
    document = yaml.safe_load(Path(f"report/model-index/{key}.yaml").read_text())
    results: list[dict[str, Any]] = document["model-index"][0]["results"]
    return results


def test_each_models_scores_become_a_file_that_a_card_can_hold(
    finished: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_describe(monkeypatch)
    assert sorted(path.stem for path in Path("report/model-index").iterdir()) == ["baseline", "dpo", "sft"]
    text = Path("report/model-index/sft.yaml").read_text()
    loaded = model_card(f"---\n{text}---\n")  # the client's own reading of the format
    assert loaded.model_name == "lab/Llama-SFT"
    found = {result.metric_type: result for result in loaded.eval_results or []}
    assert (found["accuracy"].metric_value, found["style"].metric_value) == (3.0, 1.0)
    assert (found["accuracy"].dataset_type, found["accuracy"].dataset_revision) == ("lab/data", SHA)
    assert found["accuracy"].metric_name == "accuracy, 1 to 3, scored by gpt-4o-mini"
    assert (found["accuracy"].metric_args or {})["questions"] == 3
    assert (found["accuracy"].metric_args or {})["low"] < 3.0


def test_published_results_are_named_as_the_source(
    hub_server: HubServer,
    finished: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_describe(monkeypatch)
    assert "source" not in index_of("sft")[0]
    monkeypatch.setattr(sys, "argv", ["publish.py"])
    publish.main()
    run_describe(monkeypatch)
    assert index_of("sft")[0]["source"]["url"] == f"{hub_server.url}/datasets/me/Llama-SFT-results"


def test_nothing_is_sent_unless_asked(
    hub_server: HubServer,
    finished: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_describe(monkeypatch)
    assert hub_server.requests == []


def test_a_card_gets_the_scores_once_and_keeps_all_else(
    hub_server: HubServer,
    finished: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finished.ids["sft"] = "me/Llama-SFT"
    finished.write()
    model = hub_server.hub.add("model", "me/Llama-SFT", {"README.md": CARD, "model.safetensors": b"w"})
    for _ in range(2):
        run_describe(monkeypatch, "--push", "sft")
    assert len(model.commits) == 2  # the first one, and one with the scores
    text = model.commits[-1].files["README.md"].content.decode()
    card = model_card(text)
    assert card.license == "apache-2.0"
    assert ModelCard(text).text == CARD.decode().split("mmlu}\n    metrics: [{type: accuracy, value: 0.5}]\n---\n")[1]
    assert [result.dataset_type for result in card.eval_results or []] == ["cais/mmlu", "lab/data", "lab/data"]

    finished.change_a_score("sft", 1)
    run_describe(monkeypatch, "--push", "sft")
    changed = model_card(model.commits[-1].files["README.md"].content.decode()).eval_results or []
    assert [result.metric_value for result in changed] == [0.5, round(7 / 3, 4), 1.0]


def test_a_model_without_a_card_gets_one(
    hub_server: HubServer,
    finished: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finished.ids["sft"] = "me/Llama-SFT"
    finished.write()
    model = hub_server.hub.add("model", "me/Llama-SFT", {"model.safetensors": b"w"})
    run_describe(monkeypatch, "--push", "sft")
    assert model_card(model.commits[-1].files["README.md"].content.decode()).eval_results


@pytest.mark.parametrize(
    ("run", "identity", "pushed", "says"),
    [
        ("real", "lab/Llama-SFT", "nobody", "it is not a model of params.yaml; known are sft, dpo, baseline"),
        ("dummy", "me/Llama-SFT", "sft", "these scores are of a run that is dummy"),
        ("embedded", "me/Llama-SFT", "sft", "these scores are of a run that is embedded"),
        ("real", "meta/other", "sft", "the Hub refuses the write: 403"),
        ("real", "no/where", "sft", "it is not on the Hub"),
    ],
)
def test_what_must_not_stand_on_a_card_is_refused(
    run: str,
    identity: str,
    pushed: str,
    says: str,
    hub_server: HubServer,
    finished: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finished.ids["sft"], finished.run = identity, run
    finished.write()
    hub_server.hub.add("model", "me/Llama-SFT", {"README.md": CARD})
    hub_server.hub.add("model", "meta/other", {"README.md": CARD})
    with pytest.raises(UserError, match=says):
        run_describe(monkeypatch, "--push", pushed)
    assert all(len(repository.commits) == 1 for repository in hub_server.hub.repositories.values())


@pytest.mark.parametrize("card", ["---\n: [\n---\n", "---\n- a list\n---\n", "---\nmodel-index: [1]\n---\n"])
def test_a_card_that_cannot_be_read_is_left_alone(card: str) -> None:
    with pytest.raises(UserError, match="the front matter of its card is not what the Hub expects"):
        with_model_index("model x", card, {"model-index": [{"name": "x", "results": []}]})


# --- Benchmarks ---


@pytest.fixture
def with_benchmarks(finished: FinishedRun) -> FinishedRun:
    finished.tasks = {"gsm8k": {"limit": 4}}
    finished.write()
    return finished


def test_a_benchmark_is_a_result_of_its_own_dataset(
    with_benchmarks: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_describe(monkeypatch)
    loaded = model_card(f"---\n{Path('report/model-index/sft.yaml').read_text()}---\n")
    assert [result.dataset_type for result in loaded.eval_results or []] == ["lab/data", "lab/data", "gsm8k"]
    found = (loaded.eval_results or [])[-1]
    assert (found.metric_type, found.metric_value) == ("exact_match,strict-match", 0.5)
    assert (found.dataset_args or {})["num_few_shot"] == 5
    assert (found.metric_args or {})["items"] == 4 and (found.metric_args or {})["standard_error"] == 0.2886


def test_benchmarks_on_a_card_are_replaced_as_the_other_scores_are(
    hub_server: HubServer, with_benchmarks: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_benchmarks.ids["sft"] = "me/Llama-SFT"
    with_benchmarks.write()
    model = hub_server.hub.add("model", "me/Llama-SFT", {"README.md": CARD})
    for _ in range(2):
        run_describe(monkeypatch, "--push", "sft")
    assert len(model.commits) == 2
    results = model_card(model.commits[-1].files["README.md"].content.decode()).eval_results or []
    assert [result.dataset_type for result in results] == ["cais/mmlu", "lab/data", "lab/data", "gsm8k"]


def test_benchmarks_are_written_as_the_hubs_evaluation_results(
    with_benchmarks: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = {"openai/gsm8k@main": {"sha": SHA, "content": "d" * 64}}
    with_benchmarks.put_json("data/pins.json", {"models": {}, "datasets": pin})
    run_describe(monkeypatch)
    data = yaml.safe_load(Path("report/eval-results/sft.yaml").read_text())
    (entry,) = parse_eval_result_entries(data)  # the client's own reading of the format
    assert (entry.dataset_id, entry.task_id, entry.value) == ("openai/gsm8k", "main", 0.5)
    assert entry.dataset_revision == SHA
    assert entry.notes == (
        "lm-eval 0.4.13, gsm8k version 3.0, 5-shot, exact_match,strict-match, 4 items, standard error 0.2886"
    )


def test_benchmarks_are_written_as_the_harness_writes_its_results(
    with_benchmarks: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        run_describe(monkeypatch)
    (path,) = Path("report/lm-eval/lab__Llama-SFT").iterdir()
    assert re.fullmatch(r"results_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}\.json", path.name)
    document = json.loads(path.read_text())
    assert document["results"]["gsm8k"]["exact_match,strict-match"] == 0.5
    assert document["config"]["model_args"] == {"pretrained": "lab/Llama-SFT", "revision": SHA}
    assert (document["model_source"], document["model_name_sanitized"]) == ("vllm", "lab__Llama-SFT")
    assert (document["lm_eval_version"], document["n-shot"]) == ("0.4.13", {"gsm8k": 5})
    assert document["task_hashes"] == {"gsm8k": "b" * 64}


def test_without_benchmarks_there_are_no_files_for_leaderboards(
    finished: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_describe(monkeypatch)
    assert not Path("report/eval-results").exists() and not Path("report/lm-eval").exists()
