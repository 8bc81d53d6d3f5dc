"""Images while several workers are at them: names, rows and the store's files stay together."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection

from controlpanel.objects import events
from controlpanel.objects.models import Image
from controlpanel.objects.models.projects import DEFAULT
from controlpanel.operations.images import library, remove, tag
from engine.errors import Conflict, NotFound
from engine.images.store import ImageStore, LoadedImage
from engine.layout import Layout
from tests.controlpanel.operations.conftest import actions, at_once, fail_to_commit
from tests.support.archives import busybox_archive

pytestmark = pytest.mark.kernel

NAME, OTHER = "docker.io/library/busybox:latest", "docker.io/library/mine:1"


def load() -> LoadedImage:
    """As a load does it before it writes rows."""
    (loaded,) = library.store().load(io.BytesIO(busybox_archive()), lambda _message: None)
    return loaded


@pytest.fixture
def image(engine: Layout) -> Image:
    return Image.objects.get()


def test_a_prune_keeps_what_was_tagged_since_it_was_chosen(image: Image) -> None:
    image.references.all().delete()
    tag.tag(image.pk, OTHER)
    assert at_once(remove.prune(DEFAULT, [image.pk], dangling=True))["records"] == []
    image.references.get(name=OTHER)
    records = at_once(remove.prune(DEFAULT, [image.pk], dangling=False))["records"]
    assert records == [{"Untagged": "mine:1"}, {"Deleted": image.image_id}]


def test_a_removal_is_told_at_once_and_after_its_commit(
    image: Image, sent: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else can write during a transaction: no time to ask the broker for anything."""
    tag.tag(image.pk, OTHER)
    sent.clear()
    told: list[list[str]] = []

    def publish(happened: list[events.Event]) -> None:
        assert not connection.in_atomic_block
        told.append(actions(happened))

    monkeypatch.setattr(events, "publish_all", publish)
    with monkeypatch.context() as patch:
        fail_to_commit(patch)
        with pytest.raises(OperationalError):
            remove.remove(image.pk, force=True)
    assert told == []
    remove.remove(image.pk, force=True)
    assert told == [["image untag", "image untag", "image delete"]]


def test_an_image_that_has_just_gone_gets_no_name(image: Image) -> None:
    """Its row was read by whoever tags, loads or imports."""
    remove.remove(image.pk, force=True)
    with pytest.raises(NotFound, match=f"^No such image: {image.image_id}$"):
        library.point(OTHER, image)


def test_files_that_a_load_needs_stay(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """The removal has seen that nobody needs them, and then a load has begun and ended."""
    _meanwhile(monkeypatch, lambda: library.record(DEFAULT, load()))
    remove.remove(image.pk, NAME)
    assert library.store().holds(Image.objects.get().image_id)


def test_a_load_whose_files_have_gone_leaves_no_row(image: Image) -> None:
    loaded = load()
    remove.remove(image.pk, NAME)
    with pytest.raises(Conflict, match=r"was removed meanwhile: try again$"):
        library.record(DEFAULT, loaded)
    assert not Image.objects.exists()


def _meanwhile(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Something happens between the look at the rows and the store's deletion."""
    delete = ImageStore.delete

    def late(store: ImageStore, image_id: str, unless: Callable[[], bool]) -> None:
        work()
        delete(store, image_id, unless)

    monkeypatch.setattr(ImageStore, "delete", late)
