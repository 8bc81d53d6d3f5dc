"""Images that were let in before configurations were checked keep of theirs what is right in it."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from engine.images import configuration


def salvage(apps: Any, schema_editor: Any) -> None:
    images = apps.get_model("objects", "Image").objects
    for image in images.only("config", "created").iterator(chunk_size=10):
        document = image.config if isinstance(image.config, dict) else {}
        image.config = configuration.salvage(document)
        image.created = image.config.get("created", "")
        image.save(update_fields=["config", "created"])


class Migration(migrations.Migration):
    dependencies = [("objects", "0005_removes_volumes")]
    operations = [migrations.RunPython(salvage, migrations.RunPython.noop)]
