"""Docker's objects in columns: whoever reads a row finds every field."""

from __future__ import annotations

from django.db import connection
from django.db.models.fields.json import KT

from controlpanel.objects.models import Container
from tests.controlpanel.objects.conftest import MakeContainer


def test_a_row_of_an_older_version_is_complete_when_it_is_read(make: MakeContainer) -> None:
    make("web")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE objects_container SET host_config = %s", ['{"Memory": 7}'])
        cursor.execute("UPDATE objects_container SET config = %s", ['{"Image": "busybox"}'])
    row = Container.objects.get(name="web")
    assert (row.host_config["Memory"], row.host_config["NetworkMode"], row.config["Labels"]) == (7, "bridge", {})
    assert (row.restart_policy, row.auto_remove) == ("no", False)
    listed = Container.objects.annotate(memory=KT("host_config__Memory")).values_list("memory", "config").get()
    assert (int(listed[0]), listed[1]) == (7, row.config)
