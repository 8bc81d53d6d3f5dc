"""Each method of each view declares what the caller must be allowed to do; nothing is open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from controlpanel.access import policy
from controlpanel.api import urls
from controlpanel.api.views import EngineView, NotBuiltView, page_not_found

METHODS = ("get", "post", "put", "delete")


def callbacks(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[Any]:
    """The views of all routes, however deep."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from callbacks(pattern.url_patterns)
        else:
            yield pattern.callback


def views() -> list[type[EngineView]]:
    return [callback.view_class for callback in callbacks(urls.urlpatterns) if hasattr(callback, "view_class")]


@pytest.mark.parametrize("view", views(), ids=lambda view: view.__name__)
def test_every_method_has_its_action(view: type[EngineView]) -> None:
    assert issubclass(view, EngineView)
    implemented = {method.upper() for method in METHODS if hasattr(view, method)}
    declared = set(view.actions) - {"HEAD"}
    assert declared <= implemented if issubclass(view, NotBuiltView) else declared == implemented
    assert set(view.actions.values()) <= policy.ACTIONS


def test_other_views_are_guarded_too() -> None:
    """Those of the streams: functions behind ``guarded``."""
    functions = [each for each in callbacks(urls.urlpatterns) if not hasattr(each, "view_class")]
    open_to_all = [each for each in functions if getattr(each, "action", None) not in policy.ACTIONS]
    assert open_to_all == [page_not_found]


def test_only_reading_is_a_view_action() -> None:
    for view in views():
        changing = {action for method, action in view.actions.items() if method not in {"GET", "HEAD"}}
        assert not any(action.endswith(".view") for action in changing), view


def test_the_last_route_takes_everything() -> None:
    assert get_resolver("controlpanel.api.urls").resolve("/any/thing\n").func is page_not_found
