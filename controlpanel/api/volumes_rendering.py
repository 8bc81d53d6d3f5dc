"""A volume in Docker's shape."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from controlpanel.objects.models import Volume


def volume(row: Volume) -> dict[str, Any]:
    return {
        "CreatedAt": row.created_at,
        "Driver": row.driver,
        "Labels": row.labels or None,
        "Mountpoint": str(settings.MUELLE_LAYOUT.volume(row.directory)),
        "Name": row.name,
        "Options": row.options or None,
        "Scope": "local",
    }
