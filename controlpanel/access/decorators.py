"""``guarded``: the guard of plain Django views, synchronous or asynchronous."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction
from django.views.decorators.csrf import csrf_exempt

from controlpanel.access import errors, policy
from controlpanel.access.authentication import authenticate, authenticate_async, require_csrf

if TYPE_CHECKING:
    from django.http import HttpRequest

View = Callable[..., Any]


def guarded(action: str) -> Callable[[View], View]:
    """Authenticate, authorise ``action``, note ``request.principal``, and answer errors in Docker's form.

    The view itself is exempt from Django's CSRF middleware because ``authenticate`` asks for the header exactly where a
    browser's session is the proof.
    """
    policy.known(action)

    def decorate(view: View) -> View:
        guard = _asynchronous(view, action) if iscoroutinefunction(view) else _synchronous(view, action)
        guard.action = action  # type: ignore[attr-defined]  # for whoever wants to know what a route asks for
        return csrf_exempt(guard)

    return decorate


def anonymous(view: View) -> View:
    """For synchronous views that are open to all: unsafe methods need the CSRF header all the same."""

    @functools.wraps(view)
    def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            require_csrf(request)
            return view(request, *args, **kwargs)
        except Exception as error:
            return errors.to_response(error)

    return csrf_exempt(guard)


def _synchronous(view: View, action: str) -> View:
    @functools.wraps(view)
    def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            _admit(request, authenticate(request), action)
            return view(request, *args, **kwargs)
        except Exception as error:
            return errors.to_response(error)

    return guard


def _asynchronous(view: View, action: str) -> View:
    @functools.wraps(view)
    async def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            _admit(request, await authenticate_async(request), action)
            return await view(request, *args, **kwargs)
        except Exception as error:
            return errors.to_response(error)

    return guard


def _admit(request: HttpRequest, principal: policy.Principal | None, action: str) -> None:
    policy.authorize(principal, action)
    request.principal = principal  # type: ignore[attr-defined]  # read by views that need to know who asks
