"""Inserts rows into the database that the environment names: one JSON object a line, answered by an empty line."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import django

from engine.containers import config

DEFAULTS: dict[str, dict[str, Any]] = {
    "Container": {
        "node_id": "local",
        "project_id": "default",
        "image_name": "busybox",
        "created_at": "2026-01-01T00:00:00Z",
    },
    "Image": {"node_id": "local", "project_id": "default", "config": {}, "created": ""},
    "ImageReference": {"node_id": "local", "project_id": "default"},
    "Exec": {"created": time.time_ns()},
}


def complete(row: dict[str, Any]) -> None:
    """Fill in what a create request would have."""
    body = {"Image": "busybox", "Cmd": ["true"], **row.get("config", {}), "HostConfig": row.get("host_config", {})}
    request = config.decode(body)
    config.merge_image(request, {})
    row |= {"config": request.config, "host_config": request.host_config}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")
    django.setup()
    from controlpanel.objects import models

    models.Node.objects.get_or_create(name="local")
    models.Project.objects.get_or_create(slug="default")
    print(flush=True)
    for line in sys.stdin:
        row = json.loads(line)
        name = row.pop("model")
        if name == "Container":
            complete(row)
        getattr(models, name).objects.create(**{**DEFAULTS.get(name, {}), **row})
        print(flush=True)


if __name__ == "__main__":
    main()
