"""Projects: who owns what. Each object lies in exactly one, set in the INSERT that makes the object."""

from __future__ import annotations

from django.db import models

# Holds what the engine's own socket makes. With it alone everything is as in Docker, to the byte.
DEFAULT = "default"


class Project(models.Model):
    """``slug`` is for good: it is the key, so a query by project joins nothing."""

    slug = models.CharField(max_length=64, primary_key=True)

    def __str__(self) -> str:
        return self.slug
