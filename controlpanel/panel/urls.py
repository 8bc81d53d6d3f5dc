"""Routes of the page: ``/`` and ``/static/`` for its files, ``/panel/`` for what only the page needs."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from controlpanel.panel import accounts, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.page),
    path("static/<path:name>", views.static),
    path("panel/session", accounts.session),
    path("panel/password", accounts.password),
    path("panel/tokens", accounts.tokens),
    path("panel/tokens/<int:token_id>", accounts.token),
    path("panel/containers", views.containers),
    path("panel/containers/<str:reference>/log", views.log),
    path("panel/images", views.images),
    path("panel/about", views.about),
]
