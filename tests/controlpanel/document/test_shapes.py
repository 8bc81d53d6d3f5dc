"""JSON Schemas of Python's types."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

import pytest

from controlpanel.document.shapes import NULL, Schema, Shapes
from controlpanel.rest.openapi import Partial


class Leaf(TypedDict):
    """The end."""

    name: str
    size: NotRequired[int]


class Tree(TypedDict):
    leaf: Partial[Leaf]
    children: list[Tree]
    kind: Literal["oak", "elm"] | None
    notes: dict[str, Any]


@pytest.fixture
def components() -> dict[str, Schema]:
    return {}


@pytest.fixture
def shapes(components: dict[str, Schema]) -> Shapes:
    def register(name: str, hint: Any, schema: Schema) -> tuple[Schema, bool]:
        return {"$ref": name}, components.setdefault(name, schema) is schema

    return Shapes(register)


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (Any, {}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
        (str | None, {"anyOf": [{"type": "string"}, NULL]}),
        (Literal["a", "b"], {"enum": ["a", "b"]}),
    ],
)
def test_plain_types(shapes: Shapes, hint: Any, schema: Schema) -> None:
    assert shapes.of(hint) == schema


def test_an_object_becomes_a_component_that_may_hold_itself(shapes: Shapes, components: dict[str, Schema]) -> None:
    assert shapes.of(Tree) == {"$ref": "Tree"}
    assert components["Tree"]["required"] == ["children", "kind", "leaf", "notes"]
    assert components["Tree"]["properties"]["children"] == {"type": "array", "items": {"$ref": "Tree"}}
    assert components["Tree"]["properties"]["leaf"] == {"$ref": "PartialLeaf"}


def test_a_field_may_be_missing(shapes: Shapes, components: dict[str, Schema]) -> None:
    shapes.of(Leaf)
    assert components["Leaf"]["required"] == ["name"]
    assert components["Leaf"]["description"] == "The end."


def test_of_a_partial_object_each_field_may_be_missing_or_null(shapes: Shapes, components: dict[str, Schema]) -> None:
    assert shapes.of(Leaf, partial=True) == {"$ref": "PartialLeaf"}
    assert "required" not in components["PartialLeaf"]
    assert components["PartialLeaf"]["properties"]["size"] == {"anyOf": [{"type": "integer"}, NULL]}


def test_what_json_has_no_word_for_is_refused(shapes: Shapes) -> None:
    with pytest.raises(TypeError):
        shapes.of(bytes)
