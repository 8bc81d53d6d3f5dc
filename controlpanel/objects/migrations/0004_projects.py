"""Every object lies in a project; what there was goes to ``default``. Names are unique per node and project."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

DEFAULT = "default"
OWNED = ("container", "image", "imagereference", "network", "volume")
NAMES = (
    ("container", "name", "container_name_once"),
    ("image", "image_id", "image_once"),
    ("imagereference", "name", "reference_once"),
    ("network", "name", "network_name_once"),
    ("volume", "name", "volume_name_once"),
)


def make_default(apps: Any, _schema_editor: Any) -> None:
    apps.get_model("objects", "Project").objects.get_or_create(slug=DEFAULT)


def owner() -> Any:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="objects.project", default=DEFAULT)


class Migration(migrations.Migration):
    dependencies = [
        ("objects", "0003_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="Project",
            fields=[("slug", models.CharField(max_length=64, primary_key=True, serialize=False))],
        ),
        migrations.RunPython(make_default, migrations.RunPython.noop),
        *(migrations.AddField(model, "project", owner(), preserve_default=False) for model in OWNED),
        *(migrations.RemoveConstraint(model, f"{name}_per_node") for model, _, name in NAMES),
        *(
            migrations.AddConstraint(model, models.UniqueConstraint(fields=["node", "project", field], name=name))
            for model, field, name in NAMES
        ),
    ]
