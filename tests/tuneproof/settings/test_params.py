from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.own_settings import own_params, own_settings, shipped
from tuneproof.common.errors import UserError
from tuneproof.settings.execution import Execution
from tuneproof.settings.params import GenerationParams, Params
from tuneproof.settings.reading import load_params, load_sections, settings_text
from tuneproof.settings.worlds import embedded_params


def changed(path: str, value: Any) -> dict[str, Any]:
    params = own_settings()
    section = params
    *parents, last = path.split(".")
    for part in parents:
        section = section[part]
    section[last] = value
    return params


def load(params: dict[str, Any], tmp_path: Path) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    return load_params(path)


RECORDED = {"engine": "recorded", "path": "answers.jsonl"}
BAD_SETTINGS = [
    ("dumy", True, "did you mean 'dummy'?"),
    ("dummy", "False", "dummy: input should be a valid boolean"),
    ("embedded", 1, "embedded: input should be a valid boolean"),
    ("execution.judge.concurency", 8, "did you mean 'concurrency'?"),
    ("execution.judge.concurrency", 0, "execution.judge.concurrency: input should be greater than 0"),
    ("execution.judge.concurrency", 2.5, "execution.judge.concurrency: input should be a valid integer"),
    ("judge.temperature", 3, "judge.temperature: input should be less than or equal to 2"),
    ("judge.temperature", float("nan"), "judge.temperature: input should be"),
    ("judge.min_coverage", 95, "judge.min_coverage: input should be less than or equal to 1"),
    ("judge.backend", "opneai", "judge.backend: input should be 'openai', 'evaluator' or 'embedded'"),
    ("judge.backend", "embedded", "judge.backend: the embedded judge knows only the embedded demonstration world"),
    ("judge.api_key", "sk-planted-secret", "there is no setting 'api_key'"),
    ("judge.base_url", "http://user:planted-secret@host/v1", "credentials or a query"),
    ("judge.base_url", "http://host/v1?key=planted-secret", "credentials or a query"),
    ("judge.base_url", "http://host/v1?api-version=2024&key=planted-secret", "belongs into the setting api_version"),
    ("judge.api_version", "2024&key=planted-secret", "judge.api_version: string should match pattern"),
    ("judge.extra_body", {"temperature": 1}, "'temperature' is not allowed here; set judge.temperature"),
    ("judge.extra_body", {"stream": True}, "judge.extra_body: 'stream' is not allowed here"),
    ("judge.extra_body", {"x": float("nan")}, "judge.extra_body: its values must be texts, finite numbers"),
    ("generate.sampling.temperature", None, "sampling.temperature is null, which is for engine endpoint only"),
    ("generate.sampling.max_tokens", None, "engine vllm needs a number"),
    ("generate.thinking", "hide", "generate.thinking: input should be 'keep' or 'strip'"),
    ("models.sft.extra_body", {"top_k": 5}, "`extra_body` is only for engine endpoint"),
    ("models.sft.api_version", "2024-10-21", "`api_version` is only for engine endpoint"),
    ("models.sft.chat_template_kwargs", {"enable_thinking": False}, "has no effect with `prompt: alpaca`"),
    ("models.baseline.chat_template_kwargs", {"messages": []}, "'messages' is not allowed here"),
    ("judge.base_url", "localhost:8000", "not an http(s) address"),
    ("judge.base_url", "http://localhost:99999/v1", "not an http(s) address"),
    ("judge.panel", [{"model": "x", "base_url": "http://a:planted-secret@b"}], "credentials or a query"),
    ("judge.criteria", {}, "judge.criteria: dictionary should have at least 1 item"),
    ("judge.criteria", {"coverage": {"question": "?", "scale": {0: "n", 1: "y"}}}, "cannot name a criterion"),
    ("judge.criteria", {"Is it good": {"question": "?", "scale": {0: "n", 1: "y"}}}, "cannot name a criterion"),
    ("judge.criteria.accuracy.scale", {1: "only"}, "at least two different steps"),
    ("judge.criteria.accuracy.scale", {"low": "a", "high": "b"}, "every step of a scale is a number"),
    ("judge.criteria.accuracy.scale", {1: "a", 10**400: "b"}, "every step of a scale is a number"),
    ("judge.criteria.accuracy.scale", {1: "a", "1.0": "b"}, "at least two different steps"),
    ("models", {}, "models: dictionary should have at least 1 item"),
    ("models.Big Model", {"id": "a/b"}, "cannot name a model"),
    ("models.judge", {"id": "a/b"}, "cannot name a model"),
    ("models.-x", {"id": "a/b"}, "cannot name a model"),
    ("models.1e5", {"id": "a/b"}, "cannot name a model"),
    ("models." + "m" * 65, {"id": "a/b"}, "cannot name a model"),
    ("models", {True: {"id": "a/b"}}, "the key True cannot name a model"),
    ("models.sft.id", None, "models.sft: engine vllm needs `id`"),
    ("models.sft.id", 7, "models.sft.id: input should be a valid string"),
    ("models.sft.promt", "chat", "did you mean 'prompt'?"),
    ("models.sft.prompt", "llama", "models.sft.prompt: input should be 'alpaca' or 'chat'"),
    ("models.sft.stop", ["###", ""], "models.sft.stop.1: string should have at least 1 character"),
    ("models.sft.engine", "tgi", "models.sft.engine: input should be"),
    ("models.sft.engine", "recorded", "models.sft: engine recorded needs `path`"),
    ("models.sft.path", "answers.jsonl", "`path` is only for engine recorded"),
    ("models.sft.base_url", "http://localhost:1/v1", "`base_url` is only for engine endpoint"),
    ("models.sft", RECORDED | {"system": "Be kind."}, "`system` is only for engine vllm or transformers or endpoint"),
    ("models.sft", RECORDED | {"prompt": "alpaca"}, "`prompt` is only for engine"),
    ("models.sft", RECORDED | {"stop": ["#"]}, "`stop` is only for engine"),
    ("models.sft", RECORDED | {"fallback": "a/b"}, "`fallback` is only for engine vllm or transformers"),
    ("models.sft", RECORDED | {"sampling": {"samples": 2, "seed": 1}}, "`sampling.seed` has no effect on answers"),
    ("models.sft", {"id": "a", "engine": "endpoint", "revision": "v2"}, "`revision` is only for engine vllm or"),
    ("models.sft", {"id": "a", "engine": "transformers", "vllm": {"dtype": "auto"}}, "`vllm` is only for engine vllm"),
    ("models.sft.transformers", {"dtype": "auto"}, "`transformers` is only for engine transformers"),
    ("models.sft.adapter_revision", "v2", "`adapter_revision` has no effect without `adapter`"),
    ("models.sft", "a/b", "models.sft: input should be a section of settings"),
    ("models.sft.stop", "###", "models.sft.stop: input should be a list, such as [a, b]"),
    ("models", 3, "models: input should be a section of settings"),
    ("gate.max_drops", {"acuracy": 1}, "gate.max_drops: there is no 'acuracy'; did you mean 'accuracy'?"),
    ("gate.max_drop", "0,1", "gate.max_drop: input should be a valid number"),
    ("judge.max_tokens", 1e3, "judge.max_tokens: input should be a valid integer, write 1000"),
    ("judge.criteria.accuracy.scale", {"yes": "a", "no": "b"}, "YAML read these as 'yes', 'no' (a yes/no"),
    ("judge.criteria.accuracy.scale", {True: "a", False: "b"}, "YAML read these as True, False (a yes/no"),
    ("models.sft.sampling", {"temprature": 1}, "models.sft.sampling: there is no setting 'temprature'; did you mean"),
    ("models.sft.sampling", {"temperature": -1}, "models.sft.sampling.temperature: input should be greater"),
    ("models.sft.vllm", {"engine_args": {"trust_remote_code": True}}, "'trust_remote_code' is not allowed here"),
    ("baseline", "llama", "the baseline 'llama' is not one of the models: sft, dpo, baseline"),
    ("generate.engine", "vlm", "generate.engine: input should be"),
    ("generate.sampling.top_p", 0, "generate.sampling.top_p: input should be greater than 0"),
    ("generate.sampling.samples", 0, "generate.sampling.samples: input should be greater than 0"),
    ("generate.vllm.engine_args", {"trust-remote-code": True}, "'trust_remote_code' is not allowed here"),
    ("generate.vllm.engine_args", {"hf_token": "hf_planted"}, "'hf_token' is not allowed here"),
    ("generate.vllm.engine_args", {"dtype": "half"}, "set generate.vllm.dtype"),
    ("generate.vllm.engine_args", {"x": float("inf")}, "its values must be texts, finite numbers"),
    ("generate.vllm.engine_args", {"x": date(2024, 1, 1)}, "2024-01-01 is a date to YAML"),
    ("generate.vllm.engine_args", {"max-num-seqs": 3}, "set execution.generate.vllm.max_num_seqs"),
    ("execution.generate.vllm.gpu_memory_utilization", 1.5, "less than or equal to 1"),
    ("execution.generate.run_on", "aws", "execution.generate.run_on: input should be 'local', 'sagemaker' or 'ray'"),
    ("execution.generate.models", {"sftt": {}}, "execution.generate.models: there is no 'sftt'; did you mean 'sft'?"),
    ("execution.generate.models", {"sft": {"vlm": {}}}, "models.sft: there is no setting 'vlm'; did you mean 'vllm'?"),
    ("execution.generate.models", {"sft": {"vllm": {"max_num_seqs": 0}}}, "models.sft.vllm.max_num_seqs: input should"),
    ("execution.generate.models", {"sft": {"endpoint": {}}}, "models.sft: `endpoint` is only for engine endpoint, and"),
    ("execution.generate.models", {"sft": {"key_variable": "K"}}, "`key_variable` is only for engine endpoint, and"),
    ("execution.judge.key_variable", "sk-planted", "the name of an environment variable"),
    ("execution.judge.key_variables", {"openai": "K"}, "key_variables: there is no 'openai'; known are none"),
    ("execution.judge.concurrency", 1_000_000_000, "concurrency: input should be less than or equal to 10000"),
    ("execution.generate.endpoint.concurrency", 10**9, "concurrency: input should be less than or equal to 10000"),
    ("judge.sk-proj-abcDEF0123456789abcDEF", "x", "there is no setting (not shown: it looks like a key"),
    ("models.sk-PLANTED", {}, "(not shown: it looks like a key, which belongs into the environment or .env) cannot"),
    ("execution.generate.models", {"AKIAPLANTED0123456789": {}}, "there is no (not shown: it looks like a key"),
    ("executoin", {}, "did you mean 'execution'?"),
    ("questions.limit", -1, "questions.limit: input should be greater than 0"),
    ("questions.dataset", "", "questions.dataset: string should have at least 1 character"),
    ("decision.alpha", 0.9, "decision.alpha: input should be less than 0.5"),
    ("decision.min_questions", 1, "decision.min_questions: input should be greater than or equal to 2"),
    ("publish.enabled", True, "`workspace` is missing"),
]


@pytest.mark.parametrize(
    ("path", "value", "expected"), BAD_SETTINGS, ids=[f"{row[0]}-{row[2]}" for row in BAD_SETTINGS]
)
def test_a_bad_setting_is_named_in_one_line_that_shows_no_secret(
    path: str, value: Any, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        load(changed(path, value), tmp_path)
    line = str(caught.value)
    assert expected in line
    assert "\n" not in line
    assert "planted" not in line


BAD_FILES = [
    ("", "it holds no settings"),
    ("- a\n- b\n", "it holds no settings"),
    ("dummy: [", "its YAML cannot be read"),
    ("dummy: false\ndummy: true\n", "'dummy' is given twice"),
    ("a: !!python/object/apply:os.system ['true']", "its YAML cannot be read"),
    ("\x00", "its YAML cannot be read"),
    ("split: 2024-99-99", "2024-99-99 is a date to YAML, put it in quotes"),
    ("seed: " + "7" * 5000, "its YAML cannot be read: Exceeds the limit"),
    ("[" * 5000, "its YAML cannot be read: maximum recursion depth"),
]


@pytest.mark.parametrize(("text", "expected"), BAD_FILES)
def test_a_file_that_is_no_settings_says_so(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=expected):
        load_params(path)


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="its YAML cannot be read"):
        load_params(path)


def test_a_folder_in_the_files_place_says_so(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").mkdir()
    with pytest.raises(UserError, match="it cannot be read"):
        load_params(tmp_path / "params.yaml")


def test_a_section_that_is_not_asked_for_may_be_wrong_or_missing_but_none_may_be_misspelt(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(settings_text(changed("judge", {"bckend": "openai"})))
    assert load_sections(GenerationParams, path).baseline == "baseline"
    path.write_text(settings_text(changed("judgee", {})))
    with pytest.raises(UserError, match="there is no setting 'judgee'"):
        load_sections(GenerationParams, path)


def test_samples_of_recorded_answers_may_be_set(tmp_path: Path) -> None:
    params = load(changed("models.sft", RECORDED | {"sampling": {"samples": 2}}), tmp_path)
    assert params.generation("sft").sampling.samples == 2


def test_a_missing_file_names_the_place_to_run_in(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run this in the project's root"):
        load_params(tmp_path / "params.yaml")


def test_a_model_overrides_engine_and_settings_and_keeps_the_rest(tmp_path: Path) -> None:
    own = {"dtype": "float32"}
    override = {"id": "a/b", "engine": "transformers", "sampling": {"temperature": 0}, "transformers": own}
    params = load(changed("models.sft", override), tmp_path)
    assert params.generation("sft").engine == "transformers"
    assert params.generation("sft").sampling.temperature == 0
    assert params.generation("sft").sampling.top_p == params.generate.sampling.top_p
    assert params.generation("sft").transformers.dtype == "float32"
    assert params.generation("dpo") == params.generate


def test_a_model_runs_as_all_do_but_for_what_is_set_for_it(tmp_path: Path) -> None:
    params = changed("execution.generate.models", {"sft": {"vllm": {"max_num_seqs": 3}}})
    params["execution"]["generate"]["vllm"] |= {"max_num_seqs": 7, "tensor_parallel_size": 2}
    execution = load(params, tmp_path).execution.generate
    assert execution.of_model("sft").vllm == execution.vllm.model_copy(update={"max_num_seqs": 3})
    assert execution.of_model("dpo").vllm == execution.vllm


def test_parts_of_the_embedded_world_are_refused_in_the_users_own_world_and_in_its_rehearsal(tmp_path: Path) -> None:
    for world in ({"embedded": False}, {"embedded": True, "dummy": True}):
        for path, words in (("judge.backend", "the embedded judge"), ("generate.engine", "the embedded engine")):
            with pytest.raises(UserError, match=words):
                load(changed(path, "embedded") | world, tmp_path)
            assert load(changed(path, "embedded") | {"embedded": True, "dummy": False}, tmp_path)


def test_settings_cannot_be_changed_after_reading() -> None:
    params = own_params()
    with pytest.raises(ValueError, match="frozen"):
        setattr(params.judge, "model", "other")  # noqa: B010 (a plain assignment would not pass mypy)


def test_steps_given_as_strings_are_numbers_in_order(tmp_path: Path) -> None:
    params = load(changed("judge.criteria.accuracy.scale", {"3": "c", "1": "a", "2.5": "b"}), tmp_path)
    assert list(params.judge.criteria["accuracy"].scale) == [1, 2.5, 3]
    assert params.judge.criteria["accuracy"].highest == 3


def test_every_setting_of_the_shipped_file_says_what_it_is() -> None:
    text = shipped("params.yaml")
    outside_the_rubric = text[: text.index("  criteria:")] + text[text.index("\ndecision:") :]
    for line in outside_the_rubric.splitlines():
        is_setting = line.strip() and not line.rstrip().endswith(":") and not line.startswith("#")
        if is_setting and not line.lstrip().startswith("- "):  # an item of a list, which has its comment above
            assert "#" in line, line


def test_the_shipped_file_holds_every_setting_at_its_default() -> None:
    settings = yaml.safe_load(shipped("params.yaml"))
    assert set(settings) == set(Params.model_fields)
    for section in ("questions", "generate", "judge", "compare", "decision", "publish"):
        model: Any = Params.model_fields[section].annotation
        assert set(settings[section]) == set(model.model_fields), section
    prices = {"judge": {"prices"}, "sagemaker": {"prices_usd_per_hour"}}
    execution = Execution.model_validate(settings["execution"])
    assert execution.model_dump(exclude=prices) == Execution().model_dump(exclude=prices)
    assert set(settings["execution"]) == set(Execution.model_fields)
    for section in ("generate", "judge", "sagemaker"):
        model = Execution.model_fields[section].annotation
        assert set(settings["execution"][section]) == set(model.model_fields), section


def test_a_budget_needs_a_longest_reply(tmp_path: Path) -> None:
    params = changed("judge.max_tokens", None)
    load(params, tmp_path)
    params["execution"]["judge"]["budget_usd"] = 5.0
    with pytest.raises(UserError, match=r"with judge\.max_tokens null nothing bounds what a reply may cost"):
        load(params, tmp_path)


def test_the_embedded_world_samples_with_the_defaults_for_what_is_null(tmp_path: Path) -> None:
    served = {"engine": "endpoint", "id": "m", "prompt": "chat"}
    params = changed("models", {"sft": served, "baseline": served | {"id": "n"}})
    params["generate"]["sampling"] |= {"temperature": None, "max_tokens": None, "seed": None}
    sampling = embedded_params(load(params, tmp_path)).generate.sampling
    assert (sampling.temperature, sampling.max_tokens, sampling.seed) == (0.8, 128, 42)


def test_recorded_answers_name_a_questions_column_as_the_questions_do() -> None:
    settings = own_settings()
    settings["questions"]["instruction_column"] = "prompt"
    settings["models"]["sft"] = {"engine": "recorded", "path": "a.csv"}
    settings["models"]["dpo"] = {"engine": "recorded", "path": "b.csv", "instruction_column": "asked"}
    params = Params.model_validate(settings)
    columns = {key: params.model(key).instruction_column for key in params.models}
    assert columns == {"sft": "prompt", "dpo": "asked", "baseline": None}
