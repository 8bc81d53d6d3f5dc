"""Forms: what has the wrong type or size is refused in one sentence that names the field."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers

from controlpanel.rest.serializers import Number, Text, read
from engine.errors import InvalidArgument


class Form(serializers.Serializer[Any]):
    name = Text(max_length=5)
    days = Number(min_value=1, max_value=9, allow_null=True, default=None)


@pytest.mark.parametrize("name", ["a", " a ", "abcde"])
def test_a_text_stays_as_it_is(name: str) -> None:
    assert read(Form, {"name": name}) == {"name": name, "days": None}


@pytest.mark.parametrize("body", [{}, {"name": None}, {"name": ""}, {"name": 7}, {"name": ["a"]}, {"name": "abcdef"}])
def test_a_text_that_is_none(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=r"^name: want a text of 1 to 5 characters$"):
        read(Form, body)


def test_a_text_without_nul() -> None:
    with pytest.raises(InvalidArgument, match=r"^name: "):
        read(Form, {"name": "a\0"})


@pytest.mark.parametrize("days", [0, 10, "7", True, 1.0, [], {}])
def test_a_number_that_is_none(days: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^days: want a number from 1 to 9, or null$"):
        read(Form, {"name": "a", "days": days})
