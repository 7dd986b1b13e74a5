import socket
import sys
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from tuneproof.scoring.judging.buying import token_counts
from tuneproof.scoring.judging.buying.token_counts import tiktoken_bytes_per_token

REQUEST = '{"messages": [{"role": "user", "content": "What is a ledger?"}], "model": "gpt-4o-mini"}'


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    token_counts._encoding.cache_clear()
    yield
    token_counts._encoding.cache_clear()


def test_nothing_is_downloaded_to_count_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert tiktoken_bytes_per_token("gpt-4o-mini", [REQUEST]) is None


def test_a_model_that_tiktoken_does_not_know_is_not_counted() -> None:
    assert tiktoken_bytes_per_token("house-judge", [REQUEST]) is None


def test_tokens_are_counted_where_the_vocabulary_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in: the real vocabularies come from a server that tests may not ask.
    library = types.ModuleType("tiktoken")
    library.__spec__ = ModuleSpec("tiktoken", None)
    library.encoding_name_for_model = lambda model: "words"  # type: ignore[attr-defined]  # a module made here
    library.get_encoding = lambda name: types.SimpleNamespace(encode_ordinary=str.split)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tiktoken", library)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert tiktoken_bytes_per_token("gpt-4o-mini", [REQUEST]) is None
    token_counts._encoding.cache_clear()
    token_counts._kept_file("words").write_text("")
    assert tiktoken_bytes_per_token("gpt-4o-mini", [REQUEST]) == len(REQUEST) / len(["What", "is", "a", "ledger?"])
