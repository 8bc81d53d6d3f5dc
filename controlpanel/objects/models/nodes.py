"""A node: one host with its own web process, workers and engine."""

from __future__ import annotations

from django.db import models


class Node(models.Model):
    """Its name is its key, so a query by node joins nothing."""

    name = models.CharField(max_length=64, primary_key=True)

    def __str__(self) -> str:
        return self.name
