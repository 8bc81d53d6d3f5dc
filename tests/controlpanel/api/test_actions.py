"""Each method of each view declares what the caller must be allowed to do; nothing is open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from controlpanel import urls
from controlpanel.access import policy
from controlpanel.panel import accounts
from controlpanel.panel import views as page
from controlpanel.rest.views import EngineView, NotBuiltView, page_not_found

METHODS = ("get", "head", "post", "put", "delete")
# What a browser loads before anybody has signed in, signing in itself, and Docker's answer to an unknown path.
OPEN: set[Any] = {accounts.SessionView, page.page, page.static, page_not_found}


def callbacks(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[Any]:
    """The views of all routes, however deep."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from callbacks(pattern.url_patterns)
        else:
            yield pattern.callback


def views() -> list[type[EngineView]]:
    found = {callback.view_class for callback in callbacks(urls.urlpatterns) if hasattr(callback, "view_class")}
    return sorted(found, key=lambda view: f"{view.__module__}.{view.__name__}")


@pytest.mark.parametrize("view", views(), ids=lambda view: view.__name__)
def test_every_method_has_its_action(view: type[EngineView]) -> None:
    assert issubclass(view, EngineView)
    if view in OPEN:
        return
    implemented = {method.upper() for method in METHODS if hasattr(view, method)}
    declared = set(view.actions) - ({"HEAD"} if not hasattr(view, "head") else set())
    assert declared <= implemented if issubclass(view, NotBuiltView) else declared == implemented
    assert set(view.actions.values()) <= policy.ACTIONS


def test_other_views_are_open_on_purpose() -> None:
    functions = {each for each in callbacks(urls.urlpatterns) if not hasattr(each, "view_class")}
    assert functions == OPEN - set(views())


def test_only_reading_is_a_view_action() -> None:
    for view in views():
        changing = {action for method, action in view.actions.items() if method not in {"GET", "HEAD"}}
        waits = {"containers.view"} if view.__name__ == "WaitView" else set()
        assert not {action for action in changing if action.endswith(".view")} - waits, view


def test_the_last_route_takes_everything() -> None:
    assert get_resolver("controlpanel.api.urls").resolve("/any/thing\n").func is page_not_found
