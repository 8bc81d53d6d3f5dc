"""``anonymous``: the guard of plain Django views that are open to all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.views.decorators.csrf import csrf_exempt

from controlpanel.access.authentication import require_csrf
from controlpanel.rest import errors

if TYPE_CHECKING:
    from django.http import HttpRequest

View = Callable[..., Any]


def anonymous(view: View) -> View:
    """For synchronous views: unsafe methods need the CSRF header all the same, and errors have Docker's form."""

    @functools.wraps(view)
    def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            require_csrf(request)
            return view(request, *args, **kwargs)
        except Exception as error:
            return errors.to_response(error)

    return csrf_exempt(guard)
