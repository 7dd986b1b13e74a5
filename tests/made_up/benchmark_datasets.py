"""The datasets of the documented benchmarks on a local Hub: a few made-up rows each, in files and schemas as theirs."""

import io
import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.made_up.benchmark_tasks import WORDS
from tests.servers.hub.server import HubServer

ROWS = 6  # of each split; five solved examples and one more
INSTRUCTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("punctuation:no_comma", {}),
    ("length_constraints:number_sentences", {"relation": "at least", "num_sentences": 1}),
    ("change_case:capital_word_frequency", {"capital_relation": "less than", "capital_frequency": 5}),
    ("language:response_language", {"language": "en"}),
    ("change_case:english_lowercase", {}),
    ("keywords:letter_frequency", {"letter": "e", "let_relation": "at least", "let_frequency": 2}),
)
ARGUMENTS = (  # every row of IFEval's names all of them
    "num_highlights", "relation", "num_words", "num_placeholders", "prompt_to_repeat", "num_bullets", "section_spliter",
    "num_sections", "capital_relation", "capital_frequency", "keywords", "num_paragraphs", "language", "let_relation",
    "letter", "let_frequency", "end_phrase", "forbidden_words", "keyword", "frequency", "num_sentences",
    "postscript_marker", "first_word", "nth_paragraph",
)  # fmt: skip


def add_datasets(server: HubServer) -> None:
    """Puts all of them on the Hub."""
    add(server, "cais/mmlu", dict.fromkeys(subsets("mmlu/default"), ("test", "validation", "dev")), choice)
    add(server, "SaylorTwift/bbh", dict.fromkeys(subsets("bbh/cot_fewshot"), ("test",)), boolean)
    add(server, "openai/gsm8k", {"main": ("train", "test")}, sum_of_two)
    add(server, "truthfulqa/truthful_qa", {"multiple_choice": ("validation",)}, truth)
    add(server, "allenai/winogrande", {"winogrande_xl": ("train", "test", "validation")}, blank)
    lines = "".join(json.dumps(instruction(number)) + "\n" for number in range(len(INSTRUCTIONS)))
    files = {"ifeval_input_data.jsonl": lines.encode(), "README.md": b"---\nlicense: apache-2.0\n---\n"}
    server.hub.add("dataset", "google/IFEval", files)


def use_datasets(server: HubServer, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Has the library of datasets ask this Hub, and keep what it loads in a folder of the test's own."""
    import datasets

    address = f"{server.url}/datasets/{{repo_id}}/resolve/{{revision}}/{{path}}"
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", server.url)
    monkeypatch.setattr(datasets.config, "HUB_DATASETS_URL", address)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)


def subsets(folder: str) -> list[str]:
    """The subsets that the harness's tasks of a folder name."""
    import lm_eval.tasks

    tasks = Path(lm_eval.tasks.__file__).parent / folder
    lines = [line for path in tasks.glob("*.yaml") for line in path.read_text().splitlines()]
    return sorted(
        {yaml.safe_load(line)["dataset_name"] for line in lines if line.strip('"').startswith("dataset_name")}
    )


def add(server: HubServer, name: str, splits: Mapping[str, Iterable[str]], row: Any) -> None:
    """One dataset of parquet files, whose card says which belong to which subset and split."""
    files, configs = {}, []
    for subset, names in splits.items():
        for split in names:
            drawn = random.Random(f"{subset} {split}")
            files[f"{subset}/{split}-00000-of-00001.parquet"] = parquet([row(drawn) for _ in range(ROWS)])
        of_subset = [{"split": split, "path": f"{subset}/{split}-*"} for split in names]
        configs.append({"config_name": subset, "data_files": of_subset})
    card = f"---\n{yaml.safe_dump({'configs': configs}, sort_keys=False)}---\n"
    server.hub.add("dataset", name, {"README.md": card.encode(), **files})


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """Rows as a parquet file."""
    import pyarrow
    from pyarrow import parquet as files

    buffer = io.BytesIO()
    files.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def choice(drawn: random.Random) -> dict[str, Any]:
    """A question with four answers, one of which is right."""
    choices = drawn.sample(WORDS, 4)
    question = f"Which of these is {drawn.choice(choices)}, number {drawn.randrange(10**6)}?"
    return {"question": question, "subject": "made_up", "choices": choices, "answer": drawn.randrange(4)}


def boolean(drawn: random.Random) -> dict[str, Any]:
    """An expression and its value."""
    number = drawn.randrange(10**6)
    return {"input": f"not ( {number} is {drawn.randrange(10**6)} ) is", "target": "True"}


def sum_of_two(drawn: random.Random) -> dict[str, Any]:
    """A sum in words, and its answer as that dataset marks it."""
    first, second = drawn.randrange(50), drawn.randrange(50)
    solution = (
        f"There are {first}+{second}=<<{first}+{second}={first + second}>>{first + second}.\n#### {first + second}"
    )
    return {"question": f"{first} apples and {second} more are how many?", "answer": solution}


def truth(drawn: random.Random) -> dict[str, Any]:
    """A question with answers, of which one, or several, are true."""
    words = drawn.sample(WORDS, 4)
    one, several = ({"choices": words, "labels": labels} for labels in ([1, 0, 0, 0], [1, 1, 0, 0]))
    return {
        "question": f"What is a {words[0]}, number {drawn.randrange(10**6)}?",
        "mc1_targets": one,
        "mc2_targets": several,
    }


def blank(drawn: random.Random) -> dict[str, Any]:
    """A sentence with a blank and two words for it."""
    first, second = drawn.sample(WORDS, 2)
    sentence = f"The {first} did not fit into the {second} {drawn.randrange(10**6)} times because the _ was too large."
    return {"sentence": sentence, "option1": first, "option2": second, "answer": drawn.choice("12")}


def instruction(number: int) -> dict[str, Any]:
    """A prompt with an instruction that a program can verify."""
    name, given = INSTRUCTIONS[number]
    prompt = f"Write about the {WORDS[number]}. This is number {number}."
    arguments = dict.fromkeys(ARGUMENTS) | given
    return {"key": 1000 + number, "prompt": prompt, "instruction_id_list": [name], "kwargs": [arguments]}
