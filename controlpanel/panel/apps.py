"""App of the browser page."""

from __future__ import annotations

from django.apps import AppConfig


class PanelConfig(AppConfig):
    name = "controlpanel.panel"
    label = "panel"
