"""Each method of each view declares what the caller must be allowed to do; nothing is open."""

from __future__ import annotations

import pytest
from django.urls import URLPattern, get_resolver

from controlpanel.access import policy
from controlpanel.api import urls
from controlpanel.api.views import EngineView, NotBuiltView, page_not_found

METHODS = ("get", "post", "put", "delete")


def views() -> list[type[EngineView]]:
    found = [
        getattr(pattern.callback, "view_class", None) for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)
    ]
    return [view for view in found if view is not None]


@pytest.mark.parametrize("view", views(), ids=lambda view: view.__name__)
def test_every_method_has_its_action(view: type[EngineView]) -> None:
    assert issubclass(view, EngineView)
    implemented = {method.upper() for method in METHODS if hasattr(view, method)}
    declared = set(view.actions) - {"HEAD"}
    assert declared <= implemented if issubclass(view, NotBuiltView) else declared == implemented
    assert set(view.actions.values()) <= policy.ACTIONS


def test_only_reading_is_a_view_action() -> None:
    for view in views():
        changing = {action for method, action in view.actions.items() if method not in {"GET", "HEAD"}}
        assert not any(action.endswith(".view") for action in changing), view


def test_the_last_route_takes_everything() -> None:
    assert get_resolver("controlpanel.api.urls").resolve("/any/thing\n").func is page_not_found
