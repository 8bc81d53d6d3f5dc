"""Routes of the page: ``/`` and ``/static/`` for its files, ``/panel/`` for what only the page needs."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from controlpanel.panel import accounts, views

PANEL = [
    path("session", accounts.SessionView.as_view()),
    path("password", accounts.PasswordView.as_view()),
    path("tokens", accounts.TokensView.as_view()),
    path("tokens/<int:token_id>", accounts.TokenView.as_view()),
    path("containers", views.ContainersView.as_view()),
    path("containers/<str:reference>/log", views.LogView.as_view()),
    path("images", views.ImagesView.as_view()),
    path("about", views.AboutView.as_view()),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.page),
    path("static/<path:name>", views.static),
    path("panel/", include(PANEL)),
]
