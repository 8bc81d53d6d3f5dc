"""Docker's objects in a column: complete and typed when they are read, whichever version of ours has stored them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import orjson
from django.db import models
from django.db.models.fields.json import KeyTransform

from engine.containers import config
from engine.containers.config.objects import Config, ExecConfig, HostConfig

T = TypeVar("T")

if TYPE_CHECKING:
    JSONField = models.JSONField
else:

    class JSONField(models.JSONField):
        """The types in brackets are for the type checker."""

        def __class_getitem__(cls, _types: Any) -> type:
            return cls


class ObjectField(JSONField[T, T]):
    """A JSON column like any other to the database and to migrations."""

    complete: ClassVar[Callable[[dict[str, Any]], Any]]

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.JSONField", arguments, options

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        # The look-up of one key (``host_config__NetworkMode``) and an outer join without a row come by here, too.
        if value is None or isinstance(expression, KeyTransform):
            return super().from_db_value(value, expression, connection)
        return type(self).complete(orjson.loads(value))


class ConfigField(ObjectField[Config]):
    _pyi_private_set_type: Config
    _pyi_private_get_type: Config
    complete = config.complete_config


class HostConfigField(ObjectField[HostConfig]):
    _pyi_private_set_type: HostConfig
    _pyi_private_get_type: HostConfig
    complete = config.complete_host_config


class ExecConfigField(ObjectField[ExecConfig]):
    _pyi_private_set_type: ExecConfig
    _pyi_private_get_type: ExecConfig
    complete = config.complete_exec
