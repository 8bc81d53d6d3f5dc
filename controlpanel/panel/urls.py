"""Routes of the page: ``/`` and ``/static/`` for its files, ``/panel/`` for what only the page needs."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from controlpanel.panel import accounts, views

PANEL = [
    path("session", accounts.session),
    path("password", accounts.password),
    path("tokens", accounts.tokens),
    path("tokens/<int:token_id>", accounts.token),
    path("containers", views.containers),
    path("containers/<str:reference>/log", views.log),
    path("images", views.images),
    path("about", views.about),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.page),
    path("static/<path:name>", views.static),
    path("panel/", include(PANEL)),
]
