"""App of the Celery tasks and of ``manage.py monitor``; it has no models."""

from __future__ import annotations

from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "controlpanel.tasks"
    label = "tasks"
