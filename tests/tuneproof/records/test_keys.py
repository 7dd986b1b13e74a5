from tuneproof.records.keys import canonical_json, content_key


def test_the_key_depends_on_content_and_not_on_order() -> None:
    assert content_key({"a": 1, "b": [1, 2]}) == content_key({"b": [1, 2], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 1.5})
    assert canonical_json({"ü": "\ud800"}) == '{"\\u00fc":"\\ud800"}'
