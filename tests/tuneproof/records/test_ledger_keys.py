"""Keys as they were before what changes no result moved to `execution`: nothing bought then is bought again."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tuneproof.generation.engines.workspaces import make_workspace, rendered
from tuneproof.generation.engines import endpoint, transformers, vllm
from tuneproof.generation.jobs import Engine
from tuneproof.records.ledger import Ledger
from tuneproof.records.rows import Answer, Question
from tuneproof.scoring.judging.cases import AnswerCase
from tuneproof.scoring.judging.chains import Asking
from tuneproof.scoring.judging.rubric.prompts import Material
from tuneproof.settings.evidence.judging import Criterion, Judge
from tuneproof.settings.execution import JudgeExecution

# A key holds the prompt's tokens. The small models are trained anew now and then, and their tokenizer with them.
TOKENIZER = str(Path(__file__).parent / "tokenizer_of_the_keys")
SAMPLING = {"temperature": 0.7, "top_p": 0.9, "min_p": 0.05, "max_tokens": 16, "seed": 7, "samples": 1}
QUESTION = Question(id="q", instruction="What is LoRA?", reference=None)
OWN_VLLM = {
    "dtype": "float16", "quantization": "fp8", "max_model_len": 1024, "batch_invariant": True,
    "engine_args": {"swap_space": 1},
}  # fmt: skip
FAST = {"tensor_parallel_size": 2, "max_num_seqs": 3, "gpu_memory_utilization": 0.5, "enforce_eager": True}
SERVED = {"id": "m", "prompt": "chat", "base_url": "http://localhost:9/v1", "served_as": "ours"}
AT_ONCE = {"endpoint": {"concurrency": 3, "timeout_seconds": 1.0}, "key_variable": "OUR_KEY"}
ANSWER_KEYS: list[tuple[Engine, dict[str, Any], dict[str, Any], str]] = [
    (vllm, {}, {"vllm": FAST}, "63701264049a00939fe5cd70e0894a71b3063072143ee423d4ee9db14480f6bc"),
    (vllm, {"vllm": OWN_VLLM, "stop": ["###"]}, {"vllm": FAST},
     "eb6ded947469a304dc3a1c524c37d7a813d5ff2d10d57dddea9139fba57d3938"),
    (transformers, {}, {"transformers": {"batch_size": 3, "device": "cpu"}},
     "8e4056b2e4841b84cfe16e742765d38934b78df89b7a833670a372a097f053eb"),
    (transformers, {"transformers": {"dtype": "float32"}}, {"transformers": {"batch_size": 3}},
     "f9ad728072516185c3ed96672576bb60e5b006daa61d0fb75acb3cf8bb4103e2"),
    (endpoint, SERVED, AT_ONCE, "da2612f9e40c485b59784c039eb900d220b8b3c1a180f3173e945d7e07bfd0c9"),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "model", "execution", "key"), ANSWER_KEYS)
def test_answers_have_the_keys_that_they_had_and_where_and_how_fast_is_in_none(
    tmp_path: Path, engine: Any, model: dict[str, Any], execution: dict[str, Any], key: str
) -> None:
    name = engine.__name__.rpartition(".")[2]
    for number, how in enumerate(({}, execution)):
        workspace = make_workspace(tmp_path / str(number), execution=how, engine=name, **{"id": TOKENIZER} | model)
        settings = workspace.params()
        settings["generate"]["sampling"] = SAMPLING
        (workspace.root / "params.yaml").write_text(yaml.safe_dump(settings))
        assert [request.key for request in rendered(engine, workspace.job(), [QUESTION])] == [key]


CRITERIA = {"accuracy": Criterion(question="Is it right?", scale={0: "No.", 1: "Yes."})}
OWN_JUDGE = Judge(criteria=CRITERIA, served_as="ours", samples=2, repeat=1, temperature=0.5, logprobs=True)
REPLY_KEYS: list[tuple[Judge, str]] = [
    (Judge(criteria=CRITERIA), "cc17a0b1adbb2f073061982b13f2ed4f1e648953697adc4a56d29da7fea36935"),
    (
        Judge(criteria=CRITERIA, served_as="ours", samples=2, repeat=1, temperature=0.5, logprobs=True),
        "098e856c05182c359df3b1e88ebe06fd168d1a0dc8b7bbd1e48faa82f33a87ae",
    ),
]


@pytest.mark.parametrize(("judge", "key"), REPLY_KEYS)
def test_replies_have_the_keys_that_they_had_and_how_fast_is_in_none(tmp_path: Path, judge: Judge, key: str) -> None:
    answer = Answer(
        id="q", sample=0, prompt="", answer="Fine.", finish_reason="stop", error=None, prompt_tokens=None,
        answer_tokens=None, key="a",
    )  # fmt: skip
    case = AnswerCase(answer, judge, Material(QUESTION.instruction, None, answer.answer))
    fast = JudgeExecution(concurrency=1, timeout_seconds=1.0, transport="batch", budget_usd=1.0, key_variable="OUR_KEY")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for execution in (JudgeExecution(), fast):
            asking = Asking(judge, execution, judge.criteria, ledger)
            assert asking.key(asking.chains(case)[-1], 1) == key
