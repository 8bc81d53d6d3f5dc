"""A removal remembers whether it takes the anonymous volumes along."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("objects", "0004_projects"),
    ]

    operations = [
        migrations.AddField("container", "removes_volumes", models.BooleanField(default=False)),
    ]
