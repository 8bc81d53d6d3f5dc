"""The API's document: it is current, it is OpenAPI, and no method of a view is forgotten in it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.conf import settings
from drf_spectacular.validation import validate_schema

from controlpanel.document.generator import document
from controlpanel.rest.views import EngineView, NotBuiltView
from tests.controlpanel.api.test_actions import views

# These refuse whatever they are asked, so there is nothing to tell of them.
REFUSING = {
    ("NetworkCreateView", "POST"),
    ("NetworkConnectView", "POST"),
    ("NetworkDisconnectView", "POST"),
    ("NetworkView", "DELETE"),
    ("PluginListView", "GET"),
    ("PluginView", "GET"),
    ("PluginView", "POST"),
    ("PluginView", "DELETE"),
    ("VolumeView", "PUT"),
}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return document()


def test_the_document_of_the_checkout_is_current(made: dict[str, Any]) -> None:
    """``python -m controlpanel.document`` makes it anew."""
    assert orjson.loads((settings.CHECKOUT / "docs" / "openapi.json").read_bytes()) == orjson.loads(orjson.dumps(made))


def test_the_document_is_openapi(made: dict[str, Any]) -> None:
    validate_schema(made)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("view", views(), ids=lambda view: view.__name__)
def test_every_method_is_documented(view: type[EngineView]) -> None:
    if issubclass(view, NotBuiltView):
        return
    served = {method for method in ("GET", "POST", "PUT", "DELETE") if hasattr(view, method.lower())}
    assert served - {method for name, method in REFUSING if name == view.__name__} == set(view.operations)


def test_every_operation_has_a_name_of_its_own(made: dict[str, Any]) -> None:
    names = [each["operationId"] for methods in made["paths"].values() for each in methods.values()]
    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)
