"""Panel first (it owns ``/``, ``/panel/`` and ``/static/``), then the Engine API, whose last route is Docker's 404."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("controlpanel.panel.urls")),
    path("", include("controlpanel.api.urls")),
]
