"""Docker's event objects, and what becomes of them without a broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controlpanel.objects import events
from controlpanel.objects.events import Publisher
from tests.controlpanel.objects.conftest import MakeContainer

if TYPE_CHECKING:
    from pytest_django import Settings


def test_a_container_event_carries_labels_image_and_name(make: MakeContainer) -> None:
    container = make("web")
    event = events.of_container(container, "die", exitCode=3).to_json()
    assert event["Actor"] == {
        "ID": container.id,
        "Attributes": {"tier": "front", "image": "busybox", "name": "web", "exitCode": "3"},
    }
    assert (event["Type"], event["Action"], event["scope"]) == ("container", "die", "local")
    assert (event["status"], event["id"], event["from"]) == ("die", container.id, "busybox")
    assert event["time"] == event["timeNano"] // 10**9


def test_other_kinds_have_no_old_form() -> None:
    event = events.event("volume", "create", "data", {"driver": "local"}).to_json()
    assert not {"status", "id", "from"} & event.keys()


def test_events_wait_for_a_broker_that_is_away(tmp_path: Path, settings: Settings) -> None:
    settings.MUELLE_BROKER_URL = f"unix://{tmp_path}/nobody.sock"
    publisher = Publisher()
    assert not publisher.send([events.event("volume", "create", "one")])
    assert not publisher.send([events.event("volume", "create", "two")])


def test_sending_nothing_needs_no_broker(tmp_path: Path, settings: Settings) -> None:
    settings.MUELLE_BROKER_URL = f"unix://{tmp_path}/nobody.sock"
    assert Publisher().send([])


@pytest.mark.parametrize(
    ("configured", "celery", "client"),
    [
        ("redis+socket:///run/b.sock", "redis+socket:///run/b.sock", "unix:///run/b.sock"),
        ("unix:///run/b.sock?db=1", "redis+socket:///run/b.sock?db=1", "unix:///run/b.sock?db=1"),
        ("redis://h:1/0", "redis://h:1/0", "redis://h:1/0"),
    ],
)
def test_both_spellings_of_the_brokers_address(settings: Settings, configured: str, celery: str, client: str) -> None:
    from controlpanel import broker
    from controlpanel.rpc import app

    settings.MUELLE_BROKER_URL = configured
    assert (app.broker_url(), broker.client_url()) == (celery, client)
