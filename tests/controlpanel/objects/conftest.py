"""Rows for tests of the models."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from controlpanel.objects.models import Container
from engine import rfc3339

NODE = "local"
MakeContainer = Callable[..., Container]


@pytest.fixture
def make(db: None) -> MakeContainer:
    """Make a container row: ``make("web", status="running")``."""

    def make_container(name: str, **fields: Any) -> Container:
        defaults = {
            "id": secrets.token_hex(32),
            "node_id": NODE,
            "project_id": "default",
            "config": {"Labels": {"tier": "front"}},
            "host_config": {},
            "image_name": "busybox",
            "created_at": rfc3339.now(),
        }
        return Container.objects.create(name=name, **{**defaults, **fields})

    return make_container
