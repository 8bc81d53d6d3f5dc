"""The API's document: drf-spectacular walks the routes, and each view says what its methods take and give.

Nothing of this is imported while requests are served.
"""

from __future__ import annotations

import re
from typing import Any, cast

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.serializers import Serializer

from controlpanel.document.shapes import Schema, Shapes
from controlpanel.rest.openapi import Message, Operation, Parameter
from controlpanel.rest.views import EngineView

JSON = "application/json"
VARIABLE = re.compile(r"\{(\w+)\}")
# Over the engine's socket nobody has to prove anything: the kernel tells who asks.
PROOFS: list[Schema] = [{"token": []}, {"session": []}]
BYTES: Schema = {"type": "string", "format": "binary"}


class EngineSchema(AutoSchema):
    """What the document says of one method. A view without `operations` is not in it."""

    def is_excluded(self) -> bool:
        return self.method not in self._own.operations

    @property
    def _own(self) -> EngineView:
        return cast("EngineView", self.view)

    @property
    def _operation(self) -> Operation:
        return self._own.operations[self.method]

    def _is_list_view(self, serializer: Any = None) -> bool:
        """No: an answer that is a list says so itself. (drf-spectacular would take our ``action`` for a view set's.)"""
        return False

    def get_operation_id(self) -> str:
        """``getContainersByReferenceJson``."""
        words = re.split(r"[^A-Za-z0-9]+", VARIABLE.sub(r"by \1", self.path))
        return self.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)

    def get_summary(self) -> str:
        return self._operation.summary

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular changes it
        return f"Needs the permission `{self._action}`." if self._action else ""

    def get_tags(self) -> list[str]:
        return [self._action.partition(".")[0] or "account"]

    @property
    def _action(self) -> str:
        return self._own.actions.get(self.method, "")

    def get_auth(self) -> list[Schema]:
        return PROOFS if self._action else [{}]

    def get_extensions(self) -> Schema:
        return {"x-endless": True} if self._operation.endless else {}

    def get_override_parameters(self) -> list[OpenApiParameter | Serializer[Any] | type[Serializer[Any]]]:
        return [*map(self._in_path, VARIABLE.findall(self.path)), *map(_in_query, self._operation.query)]

    def _in_path(self, name: str) -> OpenApiParameter:
        schema = {"type": "integer" if f"<int:{name}>" in self.path_regex else "string"}
        return OpenApiParameter(name, schema, OpenApiParameter.PATH, required=True)

    def get_request_serializer(self) -> Any:
        """The body by its media type."""
        body = self._operation.body
        if body is None:
            return {}
        return {body: BYTES} if isinstance(body, str) else {JSON: self._shape(body, partial=True)}

    def get_response_serializers(self) -> Any:
        operation = self._operation
        errors = OpenApiResponse(self._shape(Message), "What is wrong")
        others = {status: OpenApiResponse(description=text) for status, text in operation.others.items()}
        return {self._status(operation): self._answer(operation), **others, "default": errors}

    def _status(self, operation: Operation) -> int | tuple[int | str, ...]:
        media = operation.answer if isinstance(operation.answer, tuple) else (operation.answer,)
        return (operation.status, *media) if isinstance(media[0], str) else operation.status

    def _answer(self, operation: Operation) -> OpenApiResponse:
        if operation.answer is None:
            return OpenApiResponse(description="Done")
        shape = BYTES if isinstance(operation.answer, str | tuple) else self._shape(operation.answer)
        return OpenApiResponse(shape, "Done")

    def _shape(self, hint: Any, *, partial: bool = False) -> Any:
        """A schema; or the serializer, which drf-spectacular knows."""
        if isinstance(hint, type) and issubclass(hint, Serializer):
            return hint
        return Shapes(self._register).of(hint, partial=partial)

    def _register(self, name: str, hint: Any, schema: Schema) -> tuple[Schema, bool]:
        """Keep an object as a component, and say whether it is new."""
        component = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, hint)  # type: ignore[no-untyped-call]
        is_new = component not in self.registry
        if is_new:
            self.registry.register(component)
        elif (known := self.registry[component].object) is not hint:
            raise TypeError(f"two types are called {name}: {hint} and {known}")
        return component.ref, is_new


def _in_query(parameter: Parameter) -> OpenApiParameter:
    return OpenApiParameter(
        parameter.name,
        {"type": "array", "items": {"type": parameter.kind}} if parameter.many else {"type": parameter.kind},
        required=parameter.required,
        description=parameter.text,
    )
