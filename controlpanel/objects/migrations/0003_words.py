"""The columns that say who works on a container, and what it was before, are named as the field names them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("objects", "0002_exec_running"),
    ]

    operations = [
        migrations.RenameField("container", "mover", "claim"),
        migrations.RenameField("container", "resting", "previous_status"),
    ]
