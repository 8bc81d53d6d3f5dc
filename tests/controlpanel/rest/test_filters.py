"""The grammar of the ``filters`` parameter and of the values in it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from controlpanel.rest import filters, query
from engine.errors import InvalidArgument

SECOND = 10**9
NOW = 1_800_000_000 * SECOND


def parsed(value: Any) -> filters.Filters:
    text = value if isinstance(value, str) else json.dumps(value)
    parameters = QueryDict(mutable=True)
    parameters["filters"] = text
    return filters.parse(parameters, ("label", "label!", "dangling", "name"))


def test_both_forms_mean_the_same() -> None:
    assert parsed({"label": {"a": True, "b": True}}) == parsed({"label": ["a", "b"]}) == {"label": ["a", "b"]}
    assert parsed("") == parsed("null") == {}


@pytest.mark.parametrize(
    "value", [{"nosuch": ["x"]}, {"label": "x"}, {"label": [1]}, [], "{", {"label": None}, "x" * 70_000]
)
def test_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="invalid filter"):
        parsed(value)


@given(st.text(max_size=30))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        parsed(text)


def test_labels_and_their_absence() -> None:
    assert parsed({"label": ["a", "b=1"]}).labels_match({"a": "", "b": "1"})
    assert not parsed({"label": ["a", "b=2"]}).labels_match({"a": "", "b": "1"})
    assert not parsed({"label!": ["a"]}).labels_match({"a": ""})
    assert parsed({"label!": ["a=2"]}).labels_match({"a": "1"})
    assert not parsed({"label": ["a"]}).labels_match(None)


def test_booleans() -> None:
    assert parsed({"dangling": ["1"]}).flag("dangling") is True
    assert parsed({"dangling": {"false": True}}).flag("dangling") is False
    assert parsed({}).flag("dangling") is None
    with pytest.raises(InvalidArgument, match="invalid filter 'dangling="):
        parsed({"dangling": ["true", "false"]}).flag("dangling")


@pytest.mark.parametrize("value", ["(a|a)*b", "(a+)+b", "a*a*a*a*b", "x" * 300])
def test_expressions_that_could_take_for_ever(value: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid filter"):
        filters.expressions([value])


def test_expressions() -> None:
    assert filters.expressions(["^web", "db$"])("mydb")
    assert filters.expressions(["["])("a[b")
    assert filters.expressions(["(?i)DB", "(?i)web"])("mydb")
    assert not filters.expressions(["^web", "db$"])("myweb1")


@given(st.lists(st.text(alphabet="a[]()?+*|^$\\:P<n>i-{1,}", max_size=12), max_size=3))
def test_any_expression_is_accepted_or_refused(values: list[str]) -> None:
    with contextlib.suppress(InvalidArgument):
        filters.expressions(values)("aaa")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", NOW - 600 * SECOND),
        ("1h30m", NOW - 5400 * SECOND),
        ("1.5s", NOW - 3 * SECOND // 2),
        ("1700000000", 1_700_000_000 * SECOND),
        ("1700000000.5", 1_700_000_000 * SECOND + SECOND // 2),
        ("2023-11-14T22:13:20Z", 1_700_000_000 * SECOND),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000 * SECOND),
        ("2023-11-14", 1_699_920_000 * SECOND),
    ],
)
def test_moments(text: str, expected: int) -> None:
    assert filters.moment(text, NOW) == expected


@given(st.text(max_size=30) | st.from_regex(r"[0-9T:.Z+-]{1,30}", fullmatch=True))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        filters.moment(text, NOW)


@pytest.mark.parametrize(
    ("text", "value"), [("", False), ("0", False), (" No ", False), ("NONE", False), ("1", True), ("x", True)]
)
def test_flags(text: str, value: bool) -> None:
    parameters = QueryDict(mutable=True)
    parameters["all"] = text
    assert query.flag(parameters, "all") is value


@pytest.mark.parametrize("text", ["x", "1.5", "1_000", "9" * 30, "²"])
def test_what_is_no_integer(text: str) -> None:
    parameters = QueryDict(mutable=True)
    parameters["t"] = text
    with pytest.raises(InvalidArgument, match="invalid syntax"):
        query.integer(parameters, "t")
