"""JSON Schema (2020-12, as OpenAPI 3.1 has it) of Python's types: what they say of JSON is written once, in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from controlpanel.rest.openapi import PARTIAL

Schema = dict[str, Any]

BASIC = {str: "string", int: "integer", float: "number", bool: "boolean"}
NULL: Schema = {"type": "null"}


class Shapes:
    """Makes schemas. Objects become components, of which the schema holds references.

    ``register(name, type, schema)`` keeps a component and returns its reference, and whether it is new. It is called
    before the fields are written to the schema: a type may hold itself.
    """

    def __init__(self, register: Callable[[str, Any, Schema], tuple[Schema, bool]]) -> None:
        self._register = register

    def of(self, hint: Any, *, partial: bool = False) -> Schema:
        """``partial`` objects have no field that must be there, and each may be null."""
        origin, arguments = get_origin(hint), get_args(hint)
        if hint in BASIC:
            return {"type": BASIC[hint]}
        if hint is NoneType:
            return NULL
        if is_typeddict(hint):
            return self._object(hint, partial)
        if origin is Annotated:
            return self.of(arguments[0], partial=partial or PARTIAL in arguments)
        if origin in {Required, NotRequired}:
            return self.of(arguments[0], partial=partial)
        if origin in {Union, UnionType}:
            return {"anyOf": [self.of(each, partial=partial) for each in arguments]}
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0], partial=partial)}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1], partial=partial)}
        if hint is Any:
            return {}
        raise TypeError(f"no JSON is known of {hint}")

    def _object(self, hint: Any, partial: bool) -> Schema:
        schema: Schema = {"type": "object"}
        reference, is_new = self._register(f"Partial{hint.__name__}" if partial else hint.__name__, hint, schema)
        if is_new:
            self._fill(schema, hint, partial)
        return reference

    def _fill(self, schema: Schema, hint: Any, partial: bool) -> None:
        if hint.__doc__:
            schema["description"] = inspect.cleandoc(hint.__doc__)
        fields = get_type_hints(hint, include_extras=True)
        found = {name: self.of(each, partial=partial) for name, each in fields.items()}
        schema["properties"] = {name: _or_null(each) for name, each in found.items()} if partial else found
        if required := [] if partial else sorted(name for name in fields if _is_required(hint, fields[name])):
            schema["required"] = required


def _is_required(hint: Any, field: Any) -> bool:
    """(``__required_keys__`` does not see through annotations that are texts.)"""
    return get_origin(field) is Required or (hint.__total__ and get_origin(field) is not NotRequired)


def _or_null(schema: Schema) -> Schema:
    known = schema.get("anyOf", [schema])
    return schema if not schema or NULL in known else {"anyOf": [*known, NULL]}
