import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.run import Shape, finished, write_run
from tests.running import run_here
from tuneproof.results.details.criteria import CriterionDetails
from tuneproof.results.details.model import Details, read_details
from tuneproof.results.report import headline, page, showing
from tuneproof.results.report.browser.data import Browser
from tuneproof.results.words.notes import run_note
from tuneproof.settings.generation import Sampling


class Page(HTMLParser):
    """A page as a browser's parser would see it: its elements and the text inside script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem in ("script", "style"):
            self.inside.append((self.cdata_elem, data))

    def policy(self) -> str:
        return next(
            attributes["content"] or ""
            for tag, attributes in self.elements
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        )


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    shape = Shape(questions=50, hostile=HOSTILE_TEXTS, unusable=0.2)
    return Page(finished(tmp_path_factory.mktemp("hostile"), shape).read_text(encoding="utf-8"))


def details_of(directory: Path, shape: Shape) -> list[Details]:
    finished(directory, shape)
    return [read_details(directory / f"data/details/{model}.json") for model in shape.models]


def with_verdicts(models: list[Details], *verdicts: str) -> list[Details]:
    changed = [model.model_copy(update={"verdict": verdict}) for model, verdict in zip(models, verdicts, strict=False)]
    return [*changed, *models[len(verdicts) :]]


def test_the_page_and_the_summary_are_written(tmp_path: Path) -> None:
    page = finished(tmp_path, Shape()).read_text(encoding="utf-8")
    assert "<!doctype html>" in page[:20]
    assert "| sft |" in (tmp_path / "report/summary.md").read_text(encoding="utf-8")


def test_the_page_says_beside_its_heading_that_it_knows_nothing_of_earlier_runs(tmp_path: Path) -> None:
    header = finished(tmp_path, Shape()).read_text(encoding="utf-8").split("<header>")[1].split("</header>")[0]
    assert "Earlier runs are not looked at here: a model may be better than baseline and worse than it was." in header
    assert "<code>report/changes.html</code>" in header


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (finished(tmp_path / name, Shape(samples=2)).read_bytes() for name in ("a", "b"))
    assert first == second
    assert run_here(tmp_path / "a", "report.py").returncode == 0
    assert (tmp_path / "a/report/index.html").read_bytes() == first


def test_only_the_projects_own_style_and_script_may_run(hostile_page: Page) -> None:
    policy = hostile_page.policy()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for kind, text in hostile_page.inside:
        if kind == "style" or not text.startswith("{"):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in policy


def test_hostile_texts_add_no_element_and_no_attribute(hostile_page: Page) -> None:
    tags = {tag for tag, _ in hostile_page.elements}
    assert not tags & {"img", "iframe", "object", "embed", "base", "link", "audio", "video", "input", "textarea"}
    assert [tag for tag, _ in hostile_page.elements].count("script") == 2
    for _, attributes in hostile_page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert (attributes.get("href") or "#").startswith("#")
        assert "src" not in attributes


@pytest.mark.parametrize("run", ["dummy", "embedded"])
def test_a_run_that_proves_nothing_says_so_on_top(tmp_path: Path, run: str) -> None:
    page = finished(tmp_path, Shape(questions=40, run=run)).read_text(encoding="utf-8")  # type: ignore[arg-type]  # a literal of the parameters
    models = read_details(tmp_path / "data/details/sft.json")
    body = page.split("<body>")[1]
    assert run_note(models.run) in body.replace("&#39;", "'").split("<h1>")[0]
    assert 'class="watermark"' in body


def test_a_real_run_has_no_watermark(tmp_path: Path) -> None:
    page = finished(tmp_path, Shape()).read_text(encoding="utf-8")
    assert 'class="watermark"' not in page
    assert 'class="banner"' not in page


@pytest.mark.parametrize(
    "shape",
    [
        Shape(models=("only",), compare=False),
        Shape(models=("tuned", "base"), criteria={"correct": (0, 1)}, samples=3),
        Shape(
            models=tuple(f"model-{number}" for number in range(8)),
            criteria={f"criterion_{number}": (0, 2.5, 5, 7.5, 10) for number in range(6)},
        ),
        Shape(questions=12),
        Shape(unusable=1.0, compare=False),
        Shape(compare=False),
    ],
    ids=["one model", "yes or no", "eight models, six criteria", "too few", "nothing scored", "no comparison"],
)
def test_any_number_of_models_criteria_and_steps_makes_a_page(tmp_path: Path, shape: Shape) -> None:
    page = finished(tmp_path, shape).read_text(encoding="utf-8")
    for name in (*shape.models, *shape.criteria):
        assert name in page
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", re.sub(r"<(script|style).*?</\1>", "", page, flags=re.S))


def test_a_missing_stage_is_one_line_that_names_it(tmp_path: Path) -> None:
    write_run(tmp_path, Shape())
    done = run_here(tmp_path, "report.py")
    assert done.returncode == 1
    assert "python scripts/aggregate.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_says_what_is_read_and_written(tmp_path: Path) -> None:
    done = run_here(tmp_path, "report.py", "--help")
    assert done.returncode == 0
    assert "report/index.html" in done.stdout
    assert "data/details" in done.stdout


def test_the_headline_groups_models_by_verdict(tmp_path: Path) -> None:
    models = details_of(tmp_path, Shape(models=("a", "b", "c", "d", "base")))
    mixed = with_verdicts(models, "undecided", "better", "better", "worse")
    assert (
        headline.headline(mixed)
        == "b and c are better than base; d is worse than base; a is undecided, not shown to differ from base"
    )
    few = with_verdicts(models, *["too few"] * 4)
    assert headline.headline(few) == "a, b, c and d: too few questions to compare with base"
    assert "30 questions" in headline.confidence(few)
    assert "95%" in headline.confidence(mixed)
    open_ones = with_verdicts(models, *["undecided"] * 4)
    assert headline.confidence(open_ones).startswith("Not shown is not the same as equal: ")


def test_what_is_left_out_is_said_with_its_place() -> None:
    assert page.left_out(Browser("{}", 10, 10, None)) == ""
    said = page.left_out(Browser("{}", 10, 200, 500))
    assert "10 of 200 questions" in said
    assert "500 characters" in said
    assert "data/" in said


@pytest.mark.parametrize(
    ("value", "low", "high", "place"),
    [(1, 1, 3, "0.00%"), (2, 1, 3, "50.00%"), (3, 1, 3, "100.00%"), (9, 1, 3, "100.00%"), (0, -0.4, 0.4, "50.00%")],
)
def test_positions_lie_on_the_axis(value: float, low: float, high: float, place: str) -> None:
    assert showing.position(value, low, high) == place


def test_the_axis_of_gains_ends_at_a_round_number_beyond_every_interval(tmp_path: Path) -> None:
    models = details_of(tmp_path, Shape(questions=60))
    limit = showing.gain_limit(models, "accuracy")
    widest = max(abs(model.criteria["accuracy"].gain_low or 0) for model in models)
    assert limit >= widest
    assert f"{limit:g}" == f"{limit:.2g}"
    assert showing.gain_limit([model for model in models if model.is_baseline], "accuracy") == 1


def test_cards_say_what_could_have_been_seen_and_what_undecided_criteria_take(tmp_path: Path) -> None:
    model = details_of(tmp_path, Shape(questions=40))[0]
    undecided = {"verdict": "undecided", "smallest_detectable": 0.42, "paired": 39}
    style, accuracy = (
        model.criteria["style"].model_copy(update={**undecided, "questions_needed": needed}) for needed in (812, None)
    )

    def note(*criteria: CriterionDetails) -> str:
        named = dict(zip(("style", "accuracy"), criteria, strict=True))
        return headline.detectable_note(model.model_copy(update={"criteria": named}))

    unseen = (
        "With 39 questions, 4 of 5 such runs find a true difference of 0.42 in accuracy and 0.42 in style; a smaller "
        "one often goes unseen."
    )
    assert note(style, accuracy) == f"{unseen} To show the observed one takes about 812 questions in style."
    better = style.model_copy(update={"verdict": "better"})
    assert note(better, accuracy) == unseen
    unknown = style.model_copy(update={"smallest_detectable": None})
    assert note(unknown, unknown) == ""


def test_many_models_with_one_verdict_are_counted(tmp_path: Path) -> None:
    assert headline.opening("better", list("abcd"), "base") == "a, b, c and d are better than base"
    assert headline.opening("better", list("abcde"), "base") == "5 models are better than base"


def test_names_from_outside_are_one_short_line() -> None:
    assert showing.short("two\nlines ") == "two lines"
    assert len(showing.short("W" * 3_000)) == 201


def test_numbers_have_real_minus_signs() -> None:
    assert showing.minus("-0.12 [-0.30, +0.06]") == "\u22120.12 [\u22120.30, +0.06]"
    assert showing.minus("-") == "\u2013"
    assert showing.cell("-0.12 [-0.30, +0.06]") == "\u22120.12 [\u22120.30,\u00a0+0.06]", "no break in the interval"
    assert showing.minus("gpt-4o-mini gave -.5") == "gpt-4o-mini gave \u2212.5"


def test_a_setting_that_was_not_sent_is_not_claimed() -> None:
    rest = "at most 2,048 tokens, seed 42"
    assert page.sampling_text(Sampling(), [{"engine": "vllm"}]) == f"temperature 0.8, top_p 0.95, min_p 0.05, {rest}"
    nulls = Sampling(temperature=None, top_p=None, min_p=None, max_tokens=None, seed=None)
    assert page.sampling_text(nulls, []) == (
        "temperature not sent, top_p not sent, min_p not sent, max_tokens not sent, seed not sent"
    )
    text = page.sampling_text(Sampling(), [{"engine": "endpoint", "not_sent": ["min_p"]}])
    assert text == f"temperature 0.8, top_p 0.95, min_p not sent, {rest}"


def test_what_was_asked_of_models_and_judge_stands_there_as_text(tmp_path: Path) -> None:
    page = finished(tmp_path, Shape())
    params = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    params["models"]["sft"] |= {"system": "<i>Be brief.</i>", "stop": ["</s>"]}
    params["compare"]["criteria"] = "Which is <b>better</b>?"
    params["execution"] = {"judge": {"prices": {}}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    for stage in ("aggregate.py", "report.py"):
        done = run_here(tmp_path, stage)
        assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    first = json.loads((tmp_path / "data/answers/sft.jsonl").read_text(encoding="utf-8").splitlines()[0])
    asked = f'<summary>the first question as sent</summary><p class="prose"><bdi>{first["prompt"]}</bdi>'
    for shown in (
        asked,
        '<td class="numeric">unknown</td>',
        "The cost is unknown where",
        "&lt;i&gt;Be brief.&lt;/i&gt;",
        "<code>&#34;&lt;/s&gt;&#34;</code>",
        "Which is &lt;b&gt;better&lt;/b&gt;?",
        "max_answer_characters 20000",
    ):
        assert shown in text
