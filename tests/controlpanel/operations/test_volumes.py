"""Volumes on their way out: quick for everybody else, whole or not at all, and told once."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import OperationalError, connections

from controlpanel.objects import events
from controlpanel.objects.models import Container, Node, Volume
from controlpanel.objects.models.projects import DEFAULT
from controlpanel.operations import volumes
from controlpanel.operations.containers import mounting
from engine.archives import trees
from engine.errors import Conflict, NotFound, SystemFailure
from engine.layout import Layout
from engine.volumes import local
from tests.controlpanel.operations.conftest import Make, actions, fail_to_commit

pytestmark = pytest.mark.kernel


def made(layout: Layout, name: str = "data") -> tuple[Volume, Path]:
    """A volume with one file in it."""
    volumes.create(DEFAULT, name, "local", {}, {})
    row = Volume.objects.get(name=name)
    file = layout.volume(row.directory) / "file"
    file.write_text("kept")
    return row, file


def _write() -> None:
    """On a connection of its own, in whichever thread."""
    try:
        Node.objects.create(name="elsewhere")
    finally:
        connections.close_all()


def test_others_write_while_a_volume_is_being_deleted(engine: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    row, file = made(engine)
    deleted: list[Path] = []

    def slowly(path: Path) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_write).result(5)
        deleted.append(path)
        trees.remove_tree(path)

    monkeypatch.setattr(local, "discard_tree", slowly)
    volumes.remove(row.pk)
    assert len(deleted) == 1
    assert Node.objects.filter(name="elsewhere").exists()
    assert not file.exists()
    assert list(engine.volumes.iterdir()) == []


def test_a_removal_that_is_not_committed_keeps_the_files(
    engine: Layout, sent: list[events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    row, file = made(engine)
    fail_to_commit(monkeypatch)
    with pytest.raises(OperationalError):
        volumes.remove(row.pk)
    assert Volume.objects.filter(pk=row.pk).exists()
    assert file.read_text() == "kept"
    assert "volume destroy" not in actions(sent)
    volumes.remove(row.pk)
    assert list(engine.volumes.iterdir()) == []


def test_what_a_dead_worker_set_aside_is_given_back_or_deleted(engine: Layout) -> None:
    (kept, file), (gone, other) = made(engine), made(engine, "other")
    for row in (kept, gone):
        local.set_aside(engine, row.directory, str(row.pk))
    gone.delete()
    volumes.finish_removals()
    assert file.read_text() == "kept"
    assert not other.exists()
    assert [path.name for path in engine.volumes.iterdir()] == ["data"]
    volumes.remove(kept.pk)


def test_a_volume_goes_once(engine: Layout, sent: list[events.Event]) -> None:
    row, _file = made(engine)
    volumes.remove(row.pk)
    with pytest.raises(NotFound, match=r"^no such volume$"):
        volumes.remove(row.pk)
    with pytest.raises(NotFound, match=r"^get data: no such volume$"):
        volumes.discard(row)
    assert actions(sent).count("volume destroy") == 1


def test_one_volume_that_cannot_go_keeps_no_other(engine: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [made(engine, name)[0] for name in ("one", "two")]
    set_aside = local.set_aside

    def fail(layout: Layout, directory: str, key: str) -> None:
        if directory == "one":
            raise SystemFailure("remove one: Input/output error")
        set_aside(layout, directory, key)

    with monkeypatch.context() as patch:
        patch.setattr(local, "set_aside", fail)
        assert volumes.prune(DEFAULT, [row.pk for row in rows]) == {"deleted": ["two"], "reclaimed": 4}
    assert volumes.prune(DEFAULT, [row.pk for row in rows]) == {"deleted": ["one"], "reclaimed": 4}


def test_a_volume_that_goes_during_a_creation_is_named(
    engine: Layout, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = mounting.prepare

    def late(container: Container, volumes_from: Mapping[str, str], undo: ExitStack) -> mounting.Mounts:
        found = prepare(container, volumes_from, undo)
        volumes.remove(Volume.objects.get().pk)
        return found

    monkeypatch.setattr(mounting, "prepare", late)
    with pytest.raises(Conflict, match=r"^volume data was removed meanwhile$") as failure:
        make(["true"], "web", Binds=["data:/data"])
    assert not hasattr(failure.value, "__notes__"), "nothing was left to undo"
    assert not Container.objects.exists()
    assert list(engine.volumes.iterdir()) == []


def test_a_volume_that_cannot_be_measured_goes_all_the_same(engine: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [made(engine, name)[0] for name in ("one", "two")]
    usage = local.usage

    def fail(layout: Layout, directory: str) -> int:
        if directory == "one":
            raise OSError(errno.EIO, os.strerror(errno.EIO), directory)
        return usage(layout, directory)

    monkeypatch.setattr(local, "usage", fail)
    assert volumes.usage([row.pk for row in rows]) == [volumes.GONE, 4]
    assert volumes.prune(DEFAULT, [row.pk for row in rows]) == {"deleted": ["one", "two"], "reclaimed": 4}


@pytest.mark.parametrize("known", [True, False])
def test_a_removal_just_before_the_directory_is_made_leaves_none(
    engine: Layout, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """A later volume of this name would find what is copied there."""
    if known:
        made(engine)
    check = volumes._make

    def late(row: Volume) -> None:
        volumes.remove(row.pk)
        check(row)

    monkeypatch.setattr(volumes, "_make", late)
    with pytest.raises(Conflict, match=r"^volume data was removed meanwhile$"):
        volumes.create(DEFAULT, "data", "local", {}, {})
    assert list(engine.volumes.iterdir()) == []
    assert not Volume.objects.exists()
