"""Results out to a Hub and back: typed, private, in one commit, and only when there is something to commit."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

import publish
from tests.made_up.finished_run import SHA, FinishedRun
from tests.made_up.publishing import TOKEN, card, commits, datasets_on
from tests.servers.hub.server import HubServer
from tuneproof.records.rows import Answer, Check, Judgement, Question
from tuneproof.results.details.model import read_details
from tuneproof.results.publishing import rows as published_rows
from tuneproof.results.words.verdicts import model_sentence

PROJECT = Path(__file__).parents[2]
# The client hands httpx2 an upload in a form that httpx2 wants to be rid of.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


# --- The round trip ---


def test_published_results_load_with_the_values_of_the_judgements(hub_server: HubServer, finished: FinishedRun) -> None:
    """As users do it: the script and `load_dataset`, each in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub_server.url, "HF_HOME": str(finished.root.parent / "home"), "HF_TOKEN": TOKEN}
    environment["HF_HUB_DISABLE_XET"] = "1"
    load = """
import datasets, json
loaded = {name: datasets.load_dataset(f"me/{name}-results", split="test") for name in NAMES}
print(json.dumps({name: {"rows": table.to_list(), "types": {column: kind.dtype for column, kind
      in table.features.items()}} for name, table in loaded.items()}))
""".replace("NAMES", "('Llama-SFT', 'Llama-DPO', 'Llama-Instruct')")
    for command in ([str(PROJECT / "scripts" / "publish.py")], ["-c", load]):
        done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    for key, name in (("sft", "Llama-SFT"), ("dpo", "Llama-DPO"), ("baseline", "Llama-Instruct")):
        rows, types = loaded[name]["rows"], loaded[name]["types"]
        assert [types[column] for column in ("accuracy", "style", "sample", "instruction")] == [
            "int64", "int64", "int64", "string",
        ]  # fmt: skip
        read = (finished.root / f"data/judgements/{key}.jsonl").read_text().splitlines()
        for row, line in zip(rows, read, strict=True):
            judgement = json.loads(line)
            scores = judgement["scores"] or {"accuracy": None, "style": None}
            assert (row["id"], row["status"]) == (judgement["id"], judgement["status"])
            assert (row["accuracy"], row["style"]) == (scores["accuracy"], scores["style"])
            assert json.loads(row["replies"])[0]["reply"] == judgement["replies"][0]["reply"]
            assert row["answers"] == f"{key} says {row['id'][1:]}"
            assert (row["evaluation"] is None) == (judgement["status"] != "ok")
        assert rows[3]["reference"] is None
        assert json.loads(rows[0]["evaluation"])["style"] == {"analysis": "stiff | dry", "score": 1}


def test_the_scores_of_checks_are_columns_as_the_judges_are() -> None:
    question = Question(id="q", instruction="Why?", reference=None)
    answer = Answer(
        id="q", sample=0, prompt="", answer="{}", finish_reason="stop", error=None, prompt_tokens=None,
        answer_tokens=None, key="k",
    )  # fmt: skip
    judgement = Judgement(
        id="q", sample=0, status="ok", scores={"style": 2}, analyses=None, answer_cut=False, replies=[]
    )
    check = Check(id="q", sample=0, status="ok", scores={"valid_json": 1.0, "length": None}, reasons={})
    names = ["style", "valid_json", "length"]
    [row] = published_rows.result_rows([question], [answer], [judgement], names, "model sft", [check])
    assert [row[name] for name in names] == [2, 1.0, None]
    assert len(published_rows.parquet_files([row], names)) == 1


def test_benchmarks_are_a_table_of_their_own(hub_server: HubServer, finished: FinishedRun) -> None:
    finished.tasks = {"gsm8k": {}}
    finished.write()
    for _ in range(2):
        publish.main()
    (commit,) = commits(hub_server)
    table = pq.read_table(io.BytesIO(commit.files["benchmarks/test-00000-of-00001.parquet"].content))
    assert table.column("score").to_pylist() == [1.0, 1.0, 0.0, 0.0]
    assert table.column("target").to_pylist() == [f"#### {n}" for n in range(4)]
    assert json.loads(table.column("scores")[3].as_py())["exact_match,flexible-extract"] == 1.0
    front = yaml.safe_load(card(hub_server).split("---\n")[1])
    assert [one["config_name"] for one in front["configs"]] == ["default", "benchmarks"]
    assert front["configs"][1]["data_files"][0]["path"] == "benchmarks/test-*"
    assert "gsm8k, metric exact_match,strict-match, 4 items" in card(hub_server)

    finished.tasks = {}
    finished.write()
    publish.main()
    assert not [path for path in commits(hub_server)[-1].files if path.startswith("benchmarks/")]


def test_unchanged_results_make_no_commit_and_one_changed_score_makes_one(
    hub_server: HubServer, finished: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    publish.main()
    first = finished.published()
    assert [len(commits(hub_server, dataset)) for dataset in datasets_on(hub_server)] == [1, 1, 1]
    publish.main()
    assert finished.published() == first
    assert [len(commits(hub_server, dataset)) for dataset in datasets_on(hub_server)] == [1, 1, 1]
    assert capsys.readouterr().err.count("is unchanged") == 3

    finished.change_a_score("sft", 1)
    publish.main()
    assert [len(commits(hub_server, dataset)) for dataset in datasets_on(hub_server)] == [1, 1, 2]
    assert finished.published()["sft"]["commit"] == commits(hub_server)[-1].sha

    finished.change_a_score("sft", 3)  # back to the earlier result: the Hub has to follow
    publish.main()
    assert len(commits(hub_server)) == 3


def test_another_commit_of_the_project_alone_is_no_reason_for_a_commit(
    hub_server: HubServer, finished: FinishedRun
) -> None:
    publish.main()
    finished.put("dvc.lock", "schema: '2.0'\n")
    publish.main()
    assert len(commits(hub_server)) == 1


def test_a_changed_rubric_changes_the_card(hub_server: HubServer, finished: FinishedRun) -> None:
    publish.main()
    text = (finished.root / "params.yaml").read_text()
    finished.put("params.yaml", text.replace("Is it right?", "Is it quite right?"))
    finished.aggregate()
    publish.main()
    assert len(commits(hub_server)) == 2
    assert "Is it quite right?" in card(hub_server)


def test_rows_that_were_changed_on_the_hub_are_mended(hub_server: HubServer, finished: FinishedRun) -> None:
    publish.main()
    repository = hub_server.hub.repositories["dataset", "me/Llama-SFT-results"]
    data = next(path for path in commits(hub_server)[-1].files if path.endswith(".parquet"))
    repository.commit({data: b"tampered"})
    publish.main()
    files = commits(hub_server)[-1].files
    assert files[data].content != b"tampered"


@pytest.mark.parametrize(("scores", "kind"), [([3, None], "int64"), ([3.0, 1], "int64"), ([2.5, 3], "double")])
def test_whole_scores_are_integers_and_means_of_several_replies_are_fractions(
    scores: list[float | None], kind: str
) -> None:
    rows = [dict.fromkeys(published_rows.COLUMNS) | {"accuracy": score} for score in scores]
    (content,) = published_rows.parquet_files(rows, ["accuracy"]).values()
    table = pq.read_table(io.BytesIO(content))
    assert str(table.schema.field("accuracy").type) == kind
    assert table.column("accuracy").to_pylist() == scores


def test_a_longer_run_fills_several_files_and_a_shorter_one_removes_them(
    hub_server: HubServer, finished: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_rows, "ROWS_PER_FILE", 2)
    publish.main()
    assert sum(path.endswith(".parquet") for path in commits(hub_server)[-1].files) == 2
    monkeypatch.setattr(published_rows, "ROWS_PER_FILE", 100)
    finished.change_a_score("sft", 1)
    publish.main()
    assert [path for path in commits(hub_server)[-1].files if path.endswith(".parquet")] == [
        "data/test-00000-of-00001.parquet"
    ]


def test_what_else_lies_in_the_dataset_stays(hub_server: HubServer, finished: FinishedRun) -> None:
    publish.main()
    hub_server.hub.repositories["dataset", "me/Llama-SFT-results"].commit({"figures/scores.png": b"a picture"})
    publish.main()
    assert len(commits(hub_server)) == 2  # the results, the picture
    finished.change_a_score("sft", 1)
    publish.main()
    assert "figures/scores.png" in commits(hub_server)[-1].files


# --- The card ---


def test_the_card_holds_what_is_needed_to_trust_the_numbers(hub_server: HubServer, finished: FinishedRun) -> None:
    publish.main()
    text = card(hub_server)
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["configs"][0]["data_files"] == [{"split": "test", "path": "data/test-*"}]
    for needed in (
        "| criterion | scale | mean | gain over baseline | verdict |", "| accuracy | 1 to 3 | 3.00 [", "| undecided |",
        "Coverage 75.0%", model_sentence(read_details(Path("data/details/sft.json"))), "Is it right?", "- 3: Right.",
        f"`lab/Llama-SFT` at commit `{SHA}`", f"`lab/data` at commit `{SHA}`", "gpt-4o-mini", "temperature 0.8",
        "seed 42", 'load_dataset("me/Llama-SFT-results", split="test")', "Git commit", "Each keeps the terms",
    ):  # fmt: skip
        assert needed in text
    assert "gain over" not in card(hub_server, "me/Llama-Instruct-results")


def test_the_card_says_whether_the_model_ships_and_how_often_it_collapses(
    hub_server: HubServer, finished: FinishedRun
) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["decision"] |= {"improves": ["accuracy"], "must_not_drop": {"style": 0.1}}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    finished.aggregate()
    publish.main()
    text = card(hub_server)
    for needed in (
        "sft: not yet, for no improvement in accuracy was shown, and a drop of more than 0.1 in style is not excluded",
        "falls far on 0.0% [",
        ": accuracy improves, and nothing drops of style by",
        "| guard is open |",
    ):  # fmt: skip
        assert needed in text
    assert "not yet" not in card(hub_server, "me/Llama-Instruct-results")


def test_a_local_model_is_shown_by_name_and_not_by_path(hub_server: HubServer, finished: FinishedRun) -> None:
    finished.ids["sft"] = "/home/somebody/secret-project/my model"
    finished.write()
    publish.main()
    text = card(hub_server, "me/my-model-results")
    assert "answers of `my model`" in text
    assert "somebody" not in text


def test_the_token_is_nowhere_in_what_was_sent_or_written(
    hub_server: HubServer, finished: FinishedRun, capfd: pytest.CaptureFixture[str]
) -> None:
    publish.main()
    for repository in hub_server.hub.repositories.values():
        for commit in repository.commits:
            assert all(TOKEN.encode() not in file.content for file in commit.files.values())
    for path in finished.root.parent.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
    assert TOKEN not in "".join(capfd.readouterr())


# --- When nothing is published ---


@pytest.mark.parametrize(
    ("settings", "run", "variable", "because"),
    [
        ({"enabled": False}, "real", "", "publish.enabled is false"),
        ({}, "real", "brave-cat", "this is an experiment"),
        ({}, "dummy", "", "the results are of a run that is dummy"),
        ({}, "embedded", "", "the results are of a run that is embedded"),
    ],
)
def test_some_runs_are_never_published(
    settings: dict[str, Any],
    run: str,
    variable: str,
    because: str,
    hub_server: HubServer,
    finished: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finished.run = run
    finished.write(**settings)
    if variable:
        monkeypatch.setenv("DVC_EXP_NAME", variable)
    publish.main()
    assert f"nothing is published, because {because}" in capsys.readouterr().err
    assert finished.published() == {}
    assert hub_server.requests == []


@pytest.mark.parametrize("setting", ["dummy", "embedded"])
def test_a_rehearsal_that_is_only_set_is_not_published_either(
    setting: str, hub_server: HubServer, finished: FinishedRun
) -> None:
    text = (finished.root / "params.yaml").read_text()
    finished.put("params.yaml", text.replace(f"{setting}: false", f"{setting}: true", 1))
    publish.main()
    assert hub_server.requests == []


def test_the_record_goes_on_saying_what_was_published_last(hub_server: HubServer, finished: FinishedRun) -> None:
    publish.main()
    record = finished.published()
    finished.write(enabled=False)
    publish.main()
    assert finished.published() == record
