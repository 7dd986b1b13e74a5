"""An encoder made from scratch goes the whole way: trained by the stage, written as ONNX, loaded, asked."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.made_up.encoders import small_encoder
from tests.made_up.evaluators import YES_NO, labelled
from tests.made_up.hostile_texts import HOSTILE_TEXTS
from tests.made_up.serving import served
from tests.processes import ended_with_test
from tests.running import SCRIPTS
from tests.stages.test_train import no_pickle_in, own_table, report_of, with_labels_alone
from tests.waiting import wait_until
from tuneproof.common.errors import UserError
from tuneproof.scoring.evaluator import load

pytestmark = pytest.mark.exhaustive  # training an encoder takes longer than a hundred other tests

TRAINING = {"epochs": 8, "patience": 4, "learning_rate": 4e-3, "max_tokens": 96}


def with_encoder(folder: Path, kind: str, questions: int = 60) -> Project:
    """A project whose evaluator is to be trained on a small encoder."""
    folder.mkdir()
    project = Project(folder)
    own_table(project, YES_NO, questions)
    with_labels_alone(project)
    rows = [example.texts for example in labelled(questions, YES_NO)]
    small_encoder(folder / "base", [text for row in rows for text in (row.input or "", row.output)], kind)
    resolved = {"run": "real", "id": "base", "sha": None, "content": "0" * 64, "data": None}
    (folder / "data/resolved/evaluator.json").write_text(json.dumps(resolved))
    project.set(evaluator__base="base", evaluator__training=TRAINING, execution__train__device="cpu")
    return project


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """After train, with its learning curve."""
    project = with_encoder(tmp_path_factory.mktemp("encoder") / "project", "bert")
    project.run_ok("train.py", "useful")
    return project


def test_it_learns_more_than_length_tells(trained: Project) -> None:
    figures = report_of(trained, "useful")
    assert figures["kappa"]["evaluator"] > figures["kappa"]["length_only"] + 0.3
    assert figures["auc"]["evaluator"] > 0.8
    curve = (trained.root / "report/evaluator/useful/learning.csv").read_text().splitlines()
    assert len(curve) == 4  # a quarter, half and all, under their heading


def test_its_folder_holds_what_serves_and_no_pickle(trained: Project) -> None:
    folder = trained.root / "data/evaluator/useful"
    names = {path.name for path in folder.iterdir()}
    assert {"evaluator.json", "model.safetensors", "model.onnx", "tokenizer.json", "config.json"} <= names
    assert no_pickle_in(folder)
    assert not list((trained.root / ".cache" / "evaluator").glob("*"))  # checkpoints hold pickles, and are gone


def test_it_is_asked_as_any_evaluator_is(trained: Project) -> None:
    evaluator = load(trained.root / "data/evaluator/useful", threads=1)
    rows = [{"input": e.texts.input, "output": e.texts.output} for e in labelled(5, YES_NO)]
    singly = [evaluator.score(input=row["input"], output=str(row["output"])) for row in rows]
    assert list(evaluator.score_table(rows)) == singly
    assert evaluator.score(output="\x00 [SEP] \ud800").probability <= 1


def test_it_is_served(trained: Project) -> None:
    folder = trained.root / "data/evaluator/useful"
    texts = [*HOSTILE_TEXTS, "It doubles block 3."]
    items = [{"input": "What does the cache do?", "output": text} for text in texts]
    with served("--threshold", "useful=0.5", evaluators=[str(folder)]) as service:
        answers = [service.ask("/score", {"items": [item]}).json["results"][0] for item in items]
        assert service.ask("/readyz").json["evaluators"] == {"useful": load(folder).content}
        assert service.stop() == 0
    for answer, scored in zip(answers, load(folder).score_table(items), strict=True):
        assert answer["scores"]["useful"]["probability"] == scored.probability
        assert answer["passed"] is (scored.probability >= 0.5)


def test_a_broken_encoder_is_one_clear_line(trained: Project, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained.root / "data/evaluator/useful", tmp_path / "copy"))
    manifest = json.loads((copy / "evaluator.json").read_text())
    file = copy / manifest["scores_with"]
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(UserError, match=r"it is not the file that evaluator\.json names"):
        load(copy)


def test_a_base_that_is_no_encoder_is_one_clear_line(trained: Project, tmp_path: Path) -> None:
    project = Project(Path(shutil.copytree(trained.root, tmp_path / "project", ignore=shutil.ignore_patterns("data"))))
    own_table(project, YES_NO)
    with_labels_alone(project)
    shutil.copy(trained.root / "data/resolved/evaluator.json", project.root / "data/resolved/evaluator.json")
    project.set(evaluator__base="base")
    (project.root / "base" / "config.json").write_text('{"model_type": "nothing"}')
    assert "name an encoder" in project.error_line("train.py", "useful")


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # DeBERTa's own code
@pytest.mark.parametrize("kind", ["modernbert", "distilbert", "roberta", "deberta-v2"])
def test_other_kinds_of_encoders_go_the_same_way(kind: str, tmp_path: Path) -> None:
    project = with_encoder(tmp_path / "project", kind)
    project.set(evaluator__learning_curve=False)
    project.run_ok("train.py", "useful")
    assert report_of(project, "useful")["auc"]["evaluator"] > 0.7
    assert load(project.root / "data/evaluator/useful").score(output="It doubles block 3.").label in ("no", "yes")


def train_until(project: Project, checkpoints: int) -> None:
    """Starts the training and kills it -9 once so many checkpoints have been begun."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPTS / "train.py"), "useful"]
    process = ended_with_test(
        subprocess.Popen(command, cwd=project.root, env=environment, stderr=subprocess.DEVNULL, text=True)
    )
    folder = project.root / ".cache" / "evaluator"

    def begun() -> bool:
        steps = [int(path.name.rpartition("-")[2]) for path in folder.glob("useful-*/all/checkpoint-*")]
        return max(steps, default=0) >= checkpoints * 9

    try:
        wait_until(begun, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_killed_twice_in_the_middle_it_ends_with_the_same_evaluator(tmp_path: Path) -> None:
    whole, killed = (with_encoder(tmp_path / name, "bert") for name in ("whole", "killed"))
    for project in (whole, killed):
        project.set(evaluator__learning_curve=False)
    # The tokenizer is trained in several threads, whose order decides between pairs that are equally frequent.
    shutil.copytree(whole.root / "base", killed.root / "base", dirs_exist_ok=True)
    done = whole.run("train.py", "useful", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    train_until(killed, 2)
    train_until(killed, 5)
    done = killed.run("train.py", "useful", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert report_of(killed, "useful") == report_of(whole, "useful")
    for name in ("model.safetensors", "evaluator.json"):
        path = Path("data/evaluator/useful") / name
        assert (killed.root / path).read_bytes() == (whole.root / path).read_bytes()
