"""App of ``manage.py monitor``; it has no models."""

from __future__ import annotations

from django.apps import AppConfig


class MonitorConfig(AppConfig):
    name = "controlpanel.monitor"
    label = "monitor"
