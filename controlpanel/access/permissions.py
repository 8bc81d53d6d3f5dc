"""REST framework's permission: a view names an action for each method, and the request's scope decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_framework.request import Request
    from rest_framework.views import APIView

    from controlpanel.access.scope import Scope


class Guarded(Protocol):
    """What the permission needs of a view."""

    actions: Mapping[str, str]
    scope: Scope


class ActionPermission(BasePermission):
    """Denies whatever a view does not name. The object itself is authorised where the scope looks it up."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        guarded = cast("Guarded", view)
        action = guarded.actions.get(request.method or "")
        if action is None:
            raise MethodNotAllowed(request.method or "")
        guarded.scope.require(action)
        return True
