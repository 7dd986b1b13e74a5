"""What datasets are called: a published name stays, whichever model joins and whichever clone publishes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import publish
from tests.made_up.finished_run import FinishedRun
from tests.made_up.publishing import card, commits, datasets_on
from tests.servers.hub.server import HubServer

# The client hands httpx2 an upload in a form that httpx2 wants to be rid of.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

BASELINE = {"baseline": "meta/Llama-Instruct"}
JOINS = {"sft": "one/Same"}  # it stands first in params.yaml
PUBLISHED = {"dpo": "two/same"}
PLAIN, WITH_KEY = "me/same-results", "me/Same-sft-results"
Publish = Callable[[str, dict[str, str]], dict[str, str]]


@pytest.fixture
def publish_from(hub_server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Publishes these models from a clone, whose data/published.json Git knows nothing of; gives their datasets."""

    def publish_models(clone: str, ids: dict[str, str]) -> dict[str, str]:
        root = tmp_path / clone
        root.mkdir(exist_ok=True)
        monkeypatch.chdir(root)
        run = FinishedRun(root, ids | BASELINE)
        run.write()
        publish.main()
        return {key: run.published()[key]["dataset"] for key in ids}

    return publish_models


def as_older_versions_wrote_it(server: HubServer, dataset: str) -> None:
    """Takes out of a dataset's card whose it is."""
    text, found = re.subn(r',"model":\{[^}]*\}', "", card(server, dataset))
    assert found == 1
    server.hub.repositories["dataset", dataset].commit({"README.md": text.encode()})


def test_a_model_that_joins_in_another_clone_renames_nothing(hub_server: HubServer, publish_from: Publish) -> None:
    assert publish_from("hers", PUBLISHED) == {"dpo": PLAIN}
    both = {"sft": WITH_KEY, "dpo": PLAIN}
    assert publish_from("his", JOINS | PUBLISHED) == both
    assert publish_from("hers", JOINS | PUBLISHED) == both
    assert publish_from("a third", PUBLISHED | JOINS) == both
    assert datasets_on(hub_server) == sorted([PLAIN, WITH_KEY, "me/Llama-Instruct-results"])


def test_a_name_stays_anothers_where_that_model_is_left_out(hub_server: HubServer, publish_from: Publish) -> None:
    publish_from("hers", PUBLISHED)
    assert publish_from("his", {"sft": "one/same"}) == {"sft": "me/same-sft-results"}
    assert len(commits(hub_server, PLAIN)) == 1
    assert publish_from("his", {"sft": "one/same"} | PUBLISHED) == {"sft": "me/same-sft-results", "dpo": PLAIN}


def test_a_model_under_another_key_keeps_its_dataset(publish_from: Publish) -> None:
    publish_from("hers", PUBLISHED)
    assert publish_from("his", {"candidate": "two/same"}) == {"candidate": PLAIN}


def test_a_key_with_another_model_of_that_name_keeps_its_dataset(publish_from: Publish) -> None:
    publish_from("hers", PUBLISHED)
    assert publish_from("his", {"dpo": "three/same"}) == {"dpo": PLAIN}


def test_a_dataset_with_a_key_in_its_name_stays_when_the_plain_name_is_free_again(
    hub_server: HubServer, publish_from: Publish
) -> None:
    publish_from("hers", PUBLISHED)
    publish_from("hers", JOINS | PUBLISHED)
    del hub_server.hub.repositories["dataset", PLAIN]
    assert publish_from("his", JOINS) == {"sft": WITH_KEY}


def test_datasets_of_older_versions_are_known_by_their_cards(hub_server: HubServer, publish_from: Publish) -> None:
    publish_from("hers", PUBLISHED)
    as_older_versions_wrote_it(hub_server, PLAIN)
    both = {"sft": WITH_KEY, "dpo": PLAIN}
    assert publish_from("his", JOINS | PUBLISHED) == both
    assert '"model":{"id":"two/same","key":"dpo"}' in card(hub_server, PLAIN), "from now on the card says it"


def test_of_older_datasets_this_clone_knows_what_it_published(hub_server: HubServer, publish_from: Publish) -> None:
    same = {"warm": "two/same", "cold": "two/same"}  # one model twice, with other sampling say
    publish_from("hers", {"cold": "two/same"})
    as_older_versions_wrote_it(hub_server, PLAIN)
    assert publish_from("hers", same) == {"warm": "me/same-warm-results", "cold": PLAIN}


def test_of_models_that_were_never_published_the_first_has_the_plain_name(
    publish_from: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "publish: me/same-results is another model's; dpo becomes me/same-dpo-results"
    names = {"sft": "me/Same-results", "dpo": "me/same-dpo-results"}
    assert publish_from("hers", JOINS | PUBLISHED) == names
    assert told in capsys.readouterr().err
    assert publish_from("his", PUBLISHED | JOINS) == names
    assert told not in capsys.readouterr().err, "it is news once"
