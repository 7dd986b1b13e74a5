"""That every command of the documentation is run by a test, or is known not to be, with the reason."""

import ast
import re

import pytest

from tests.conftest import ROOT
from tests.house.documented_commands import commands_of, documented_commands

# What `make measurements` runs; test_measurements.py starts each.
MEASUREMENT = re.compile(r"(?:PYTHONPATH=scripts\S* )?python (?:-m tests\.measurements\.|tests/measurements/)\w+")

RUN_BY = {
    "pipeline/test_commands_on_a_run.py::test_a_command_works_on_a_finished_run": (
        "mkdir -p evaluators && cp -r data/evaluator/accuracy evaluators/accuracy", "dvc exp apply <experiment>",
        "dvc exp show", "dvc exp run -S generate.sampling.temperature=0.2", "dvc metrics diff", "dvc metrics show",
        "dvc plots diff", "dvc plots diff <revision>", "dvc plots show", "dvc repro", "dvc repro --dry --allow-missing",
        "dvc exp show --only-changed"
        " --drop 'checks|data|report|scripts|tasks|Created|.*:(?!gain|win_rate|ship|verdict)'",
        "dvc repro --single-item --force benchmark && dvc repro", "dvc status", "make demo",
        "make experiments", "make ledger-export", "make ledger-import", "make results", "make timeline",
        "python scripts/aggregate.py", "python scripts/annotate.py --export labels.csv",
        "python scripts/annotate.py --import labels.csv", "python scripts/annotate.py --plan",
        "python scripts/compare.py <model>", "python scripts/describe.py", "python scripts/describe.py --inspect",
        "python scripts/gate.py --against <experiment> --model sft --markdown",
        "python scripts/gate.py --against <revision>", "python scripts/gate.py --against main",
        "python scripts/generate.py <model>", "python scripts/generate.py sft", "python scripts/judge.py sft",
        "python scripts/report.py", "python scripts/report.py --against <revision or experiment>",
        "python scripts/report.py --against <revision>", "python scripts/report.py --against main",
        "python scripts/score.py --evaluator data/evaluator/accuracy answers.csv", "python scripts/train.py accuracy",
        "python scripts/validate.py --update",
    ),
    "pipeline/test_commands_on_a_run.py::test_a_page_for_raters_is_served_until_it_is_interrupted": (
        "make annotate", "make annotate RATER=anna", "python scripts/annotate.py --rater anna",
    ),
    "pipeline/test_documented_commands.py::test_the_readmes_first_run_is_rehearsed_made_shown_and_committed": (
        "git add dvc.lock data metrics report && git commit -m \"First results\"", "git commit -am \"Our models\"",
        "make rehearse",
    ),
    "pipeline/test_documented_commands.py::test_the_gate_in_ci_pulls_what_it_compares": (
        "dvc pull --quiet", "dvc push",
        "python scripts/gate.py --against \"origin/${{ github.base_ref }}\" --markdown >> \"$GITHUB_STEP_SUMMARY\"",
    ),
    "pipeline/test_documented_commands.py::"
    "test_the_workflow_in_ci_runs_the_demonstration_before_and_after_and_stops_a_regression": (
        "dvc exp run --quiet --name before-this-pull-request -S embedded=true",
        "dvc exp run --quiet --name this-pull-request -S embedded=true", "git checkout --force",
        "git checkout --quiet --force \"$BASE\"", "git checkout --quiet --force \"$HEAD\"",
        "git config user.email \"ci@localhost\"", "git config user.name \"ci\"",
        "python scripts/gate.py --against before-this-pull-request --markdown > gate.md || outcome=$?",
    ),
    "pipeline/test_documented_commands.py::"
    "test_a_revision_of_another_version_can_be_compared_after_todays_pipeline_ran_on_it": (
        "dvc checkout", "dvc exp run --name before", "git checkout --force main", "git checkout <revision>",
        "git checkout main -- scripts dvc.yaml", "python scripts/gate.py --against before",
    ),
    "pipeline/test_first_run.py::test_a_rehearsal_follows_the_demonstration_and_the_demonstration_the_rehearsal": (
        "dvc exp run",
    ),
    "pipeline/test_first_run.py::test_a_first_own_run_begins_with_what_validate_says": (
        "dvc exp run --quiet -S dummy=true",
    ),
    "pipeline/test_judging.py::test_two_queued_experiments_at_once_share_the_ledger": ("dvc queue start --jobs 2",),
    "pipeline/test_s3_remote.py::test_a_second_machine_pulls_from_s3_and_reruns_nothing": (
        "dvc pull", "dvc push --run-cache", "dvc remote add --default storage s3://your-bucket/tuneproof-data",
        "dvc repro --pull", "git add .dvc/config && git commit -m \"Data lies in S3\"",
        "git clone <repository> && cd <repository> && dvc pull",
    ),
    "pipeline/test_sagemaker_pipeline.py::"
    "test_smoke_command_and_rehearsal_on_sagemaker_give_the_local_answers_and_switching_runs_nothing_again": (
        "dvc exp run -S execution.generate.run_on=sagemaker",
        "dvc exp run --quiet -S execution.generate.run_on=sagemaker"
        " -S execution.sagemaker.role=arn:aws:iam::123456789012:role/tuneproof",
        "dvc exp run -S execution.generate.run_on=sagemaker"
        " -S execution.sagemaker.hf_token_secret=tuneproof/hf-token",
        "dvc exp run --quiet generate@sft -S embedded=true -S questions.limit=10 -S execution.generate.run_on=sagemaker"
        " -S execution.sagemaker.role=arn:aws:iam::123456789012:role/tuneproof"
        " -S execution.sagemaker.max_cost_usd=0.5",
        "dvc exp run --quiet generate@sft -S dummy=true -S execution.generate.run_on=sagemaker"
        " -S execution.sagemaker.role=arn:aws:iam::123456789012:role/tuneproof"
        " -S execution.sagemaker.max_cost_usd=0.9",
    ),
    "stages/test_judge_follow.py::test_what_follows_asks_exactly_what_the_judge_stage_would": (
        "python scripts/judge.py <model> --follow",
    ),
    "stages/test_serve.py::test_scores_are_those_of_the_evaluator": (
        "python scripts/serve.py --evaluator data/embedded/judge/accuracy --threshold accuracy=0.7",
        "python scripts/serve.py",
    ),
    "house/test_settings_tables.py::test_the_settings_page_is_made_from_the_committed_params": (
        "python -m tests.house.settings_tables",
    ),
}  # fmt: skip
NOT_RUN = {
    "downloads packages; the tests run in what the same files install": (
        "make lighteval", "pip install -c requirements/constraints.txt -r requirements/benchmarks.txt",
        "pip install -c requirements/constraints.txt -r requirements/checks.txt",
        "pip install -c requirements/constraints.txt -r requirements/evaluator.txt",
        "pip install -c requirements/constraints.txt -r requirements/serving.txt",
        "pip install -r requirements/gpu.txt", "pip install -r requirements/ray.txt",
        "pip install -r requirements/sagemaker.txt -c requirements/constraints.txt",
        "pip install -r requirements/transformers.txt", "python .dvc/plots/build_offline.py",
        "python -m pip install --quiet -r requirements/base.txt -c requirements/constraints.txt",
        "source .venv/bin/activate",
    ),
    "is how the tests and measurements are run": (
        ".ci/run", "dvc repro --force", "make lint", "make measurements", "make test", "make test-all",
        "make test-quick", "pytest tests/tuneproof/statistics",
    ),
    "needs an account of AWS": (
        "aws secretsmanager create-secret --name tuneproof/hf-token --secret-string file://token.txt",
    ),
    "needs a cluster (docs/scale.md calls it untried); the tests start Ray's own test cluster": (
        "ray down cluster.yaml", "ray exec", "ray start", "ray start --address=<that host>:6379", "ray start --head",
        "ray up cluster.yaml",
    ),
    "asks the real Hub for a token": ("hf auth login",),
    "is inspect_ai's own server; test_describe_inspect.py lists, reads and bundles the logs with inspect_ai": (
        "inspect view --log-dir report/inspect",
    ),
    "trains for 20 seconds what pipeline/test_embedded_models.py trains in parts": ("make embedded-judge",),
}  # fmt: skip


def test_every_command_of_the_documentation_is_run_by_a_test_or_known_not_to_be() -> None:
    listed = [command for commands in (*RUN_BY.values(), *NOT_RUN.values()) for command in commands]
    assert sorted(listed) == sorted(set(listed)), "listed twice"
    assert {command for command in documented_commands() if not MEASUREMENT.match(command)} == set(listed)


@pytest.mark.parametrize("test", RUN_BY)
def test_the_test_that_runs_a_command_is_there_and_speaks_of_it(test: str) -> None:
    path, _, name = test.partition("::")
    source = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert name in {one.name for one in ast.parse(source).body if isinstance(one, ast.FunctionDef)}
    pages = documented_commands()
    for command in RUN_BY[test]:
        missing = [word for word in telling_words(command) if word not in source]
        read_from_the_page = any(f'"{page}"' in source for page in pages[command])
        assert not missing or read_from_the_page, (command, missing)


def telling_words(command: str) -> list[str]:
    """The words by which a test that runs a command knows it: subcommands, scripts and options."""
    words = re.findall(r"(?<!\S)(?:[a-z]+(?:-[a-z]+)*|--[a-z-]+|\S*\.py)(?!\S)", re.sub(r"\".*?\"|'.*?'", "", command))
    return [word.rpartition("/")[2] for word in words if word not in ("python", "dvc", "git", "make", "cd")]


def test_what_requirements_a_command_names_are_there() -> None:
    named = {path for command in documented_commands() for path in re.findall(r"requirements/[\w-]+\.txt", command)}
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    page = """Run `make demo`, or `dvc`, and `git` or `makeshift thing`.

```console
$ dvc repro \\
    --force     # all
dvc repro is what it prints
```

```yaml
- run: make lint
```

    PYTHONPATH=scripts python -m one

```python
python = "make no"
```
"""
    wanted = ["dvc repro --force", "make lint", "PYTHONPATH=scripts python -m one", "make demo"]
    assert list(commands_of(page)) == wanted
