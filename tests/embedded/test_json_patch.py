"""JSON Patch, by the examples of RFC 6902 and RFC 6901 and by what must not pass."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_grip.proxy.http.json_patch import MAX_COPIED, PatchError, apply_patch, patch_body


def op(name: str, path: str, **members: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **members}


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        # RFC 6902, appendix A
        ({"foo": "bar"}, [op("add", "/baz", value="qux")], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [op("add", "/foo/1", value="qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [op("remove", "/baz")], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [op("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [op("replace", "/baz", value="boo")], {"baz": "boo", "foo": "bar"}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [op("move", "/qux/thud", **{"from": "/foo/waldo"})],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        (
            {"foo": ["all", "grass", "cows", "eat"]},
            [op("move", "/foo/3", **{"from": "/foo/1"})],
            {"foo": ["all", "cows", "eat", "grass"]},
        ),
        ({"baz": "qux", "foo": ["a", 2, "c"]}, [op("test", "/baz", value="qux"), op("test", "/foo/1", value=2)], None),
        ({"foo": "bar"}, [op("add", "/child", value={"grandchild": {}})], {"foo": "bar", "child": {"grandchild": {}}}),
        ({"foo": "bar"}, [op("add", "/baz", value="qux", xyz=123)], {"foo": "bar", "baz": "qux"}),
        ({"/": 9, "~1": 10}, [op("test", "/~01", value=10), op("test", "/~1", value=9)], None),
        ({"foo": ["bar"]}, [op("add", "/foo/-", value=["abc", "def"])], {"foo": ["bar", ["abc", "def"]]}),
        # and beyond
        ({"a": 1}, [op("add", "/a", value=2)], {"a": 2}),
        ({"a": 1}, [op("add", "", value=[1])], [1]),
        ({"a": 1}, [op("replace", "", value={"b": 2})], {"b": 2}),
        ([1, 2], [op("replace", "/1", value=3)], [1, 3]),
        ({"": {"": 1}}, [op("replace", "//", value=2)], {"": {"": 2}}),
        (
            {"a": {"b": 1}},
            [op("copy", "/c", **{"from": "/a"}), op("add", "/c/b", value=2)],
            {"a": {"b": 1}, "c": {"b": 2}},
        ),
        ({"a": 1}, [op("move", "/a", **{"from": "/a"})], {"a": 1}),
        ({"a": {"b": 1}}, [op("move", "/a", **{"from": "/a/b"})], {"a": 1}),
        ({"ab": 1}, [op("move", "/abc", **{"from": "/ab"})], {"abc": 1}),
        ({"a": None}, [op("test", "/a", value=None), op("replace", "/a", value=[])], {"a": []}),
        ({"a": [1, {"b": 2.0}]}, [op("test", "/a", value=[1.0, {"b": 2}])], None),
    ],
)
def test_a_patch_does_what_it_says(document: Any, operations: list[dict[str, Any]], expected: Any) -> None:
    before = copy.deepcopy(operations)
    unchanged = copy.deepcopy(document)
    assert apply_patch(document, operations) == (unchanged if expected is None else expected)
    assert operations == before


@pytest.mark.parametrize(
    ("operations", "problem"),
    [
        (["add"], "operation 1: it is not an object"),
        ([{"path": "/a"}], "operation 1: it has no known 'op'"),
        ([op("destroy", "/a")], "operation 1: it has no known 'op'"),
        ([{"op": "remove"}], "operation 1: 'path' is not a JSON Pointer"),
        ([op("remove", "a")], "operation 1: 'path' is not a JSON Pointer"),
        ([op("remove", "/~2")], "operation 1: 'path' is not a JSON Pointer"),
        ([op("move", "/a")], "operation 1: 'from' is not a JSON Pointer"),
        ([op("add", "/a")], "operation 1: it has no 'value'"),
        ([op("test", "/a", value=1), op("remove", "/x")], "operation 2: the path leads to nothing"),
        ([op("replace", "/x", value=1)], "operation 1: the path leads to nothing"),
        ([op("add", "/x/y", value=1)], "operation 1: the path leads to nothing"),
        ([op("add", "/a/b", value=1)], "operation 1: the path goes through a value without members"),
        ([op("remove", "/a/b")], "operation 1: the path goes through a value without members"),
        ([op("remove", "")], "operation 1: the whole document cannot be removed"),
        ([op("move", "/l/0/x", **{"from": "/l"})], "operation 1: a value cannot be moved into itself"),
        ([op("add", "/l/3", value=1)], "operation 1: the path leads to nothing in an array"),
        ([op("remove", "/l/2")], "operation 1: the path leads to nothing in an array"),
        ([op("remove", "/l/-")], "operation 1: the path leads to nothing in an array"),
        ([op("remove", "/l/-1")], "operation 1: the path leads to nothing in an array"),
        ([op("remove", "/l/01")], "operation 1: the path leads to nothing in an array"),
        ([op("remove", "/l/1e0")], "operation 1: the path leads to nothing in an array"),
        ([op("remove", "/l/" + "9" * 5000)], "operation 1: the path leads to nothing in an array"),
        ([op("test", "/a", value="1")], "operation 1: the test fails"),
        ([op("test", "/a", value=True)], "operation 1: the test fails"),
        ([op("test", "/l", value=[1])], "operation 1: the test fails"),
        ([op("test", "/l", value=[2, 1])], "operation 1: the test fails"),
        ([op("test", "", value={"a": 1})], "operation 1: the test fails"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(operations: Any, problem: str) -> None:
    with pytest.raises(PatchError) as caught:
        apply_patch({"a": 1, "l": [1, 2]}, operations)
    assert str(caught.value) == problem


def test_a_few_copies_do_not_fill_the_memory() -> None:
    double = [op("copy", "/l/-", **{"from": ""})] * 60
    with pytest.raises(PatchError, match="the patch copies too much"):
        apply_patch({"l": []}, double)
    big = "x" * (MAX_COPIED // 10)
    with pytest.raises(PatchError, match="operation 10: the patch copies too much"):
        apply_patch([big], [op("copy", "/-", **{"from": "/0"})] * 20)


def test_a_value_nested_without_end_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(PatchError, match="operation 1: a value in it is nested too deeply"):
        apply_patch({}, [op("add", "/a", value=value)])
    while value:
        value = value.pop()


@pytest.mark.parametrize("body", [b"", b"not json", b"\xff", b"[" * 100_000, b'{"a": 1'])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(PatchError, match="the body is not JSON"):
        patch_body(body, [op("add", "", value=1)])


def test_a_body_that_no_text_can_carry_is_refused() -> None:
    with pytest.raises(PatchError, match="the body is not JSON"):
        patch_body(b'"\\ud800"', [])


@pytest.mark.parametrize(("body", "value"), [(b"[NaN]", 1), (b"[1e999]", 1), (b"[1]", float("inf"))])
def test_what_comes_out_is_json(body, value):
    with pytest.raises(PatchError, match="the body is not JSON"):
        patch_body(body, [op("add", "/0", value=value)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text("ab~/", max_size=2), children, max_size=3)
    ),
    max_leaves=8,
)
PATHS = st.lists(st.sampled_from(["a", "b", "0", "1", "-", "~0", "~1", ""]), max_size=3).map(
    lambda steps: "".join(f"/{step}" for step in steps)
)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": PATHS},
    optional={"value": JSON, "from": PATHS},
)


@given(JSON, st.lists(OPERATIONS, max_size=4))
def test_whatever_a_patch_says_the_outcome_is_json_or_a_refusal(document: Any, operations: list[Any]) -> None:
    before = copy.deepcopy(operations)
    try:
        patched = patch_body(json.dumps(document).encode(), operations)
    except PatchError:
        pass
    else:
        json.loads(patched)
    assert operations == before
