"""REST framework's serializers as the page's forms use them: strict about types, one sentence for what is wrong."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from engine.errors import InvalidArgument


class Text(serializers.CharField):
    """A text as it was sent: nothing is trimmed, and a number is none."""

    def __init__(self, *, max_length: int, **options: Any) -> None:
        wanted = f"want a text of 1 to {max_length} characters"
        messages = dict.fromkeys(("required", "null", "blank", "invalid", "max_length"), wanted)
        super().__init__(max_length=max_length, **{"trim_whitespace": False, "error_messages": messages, **options})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Number(serializers.IntegerField):
    """A whole number: neither a text nor a truth value that looks like one."""

    def __init__(self, *, min_value: int, max_value: int, **options: Any) -> None:
        wanted = f"want a number from {min_value} to {max_value}"
        if options.get("allow_null"):
            wanted += ", or null"
        messages = dict.fromkeys(("required", "null", "invalid", "max_value", "min_value"), wanted)
        super().__init__(min_value=min_value, max_value=max_value, **{"error_messages": messages, **options})

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


def read(form: type[serializers.Serializer[Any]], value: dict[str, Any]) -> dict[str, Any]:
    """The fields of ``form``, checked; InvalidArgument with the first thing that is wrong."""
    checked = form(data=value)
    if not checked.is_valid():
        name, wrong = next(iter(checked.errors.items()))
        raise InvalidArgument(f"{name}: {wrong[0]}")
    return dict(checked.validated_data)
