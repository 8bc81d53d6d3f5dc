"""docker cp and diff on containers that run or have run."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.containers.archive import child as archive_child
from engine.containers.archive import view as archive_view
from engine.containers.config.mounts import Mount
from engine.errors import Conflict, NotFound, SystemFailure
from tests.engine.containers.archive_files import SLEEP, Files
from tests.support.archives import member

if TYPE_CHECKING:
    from tests.engine.containers.conftest import Container

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("nothing_stays")]


# What a started container sees, and what is seen of it


def test_put_before_the_start(container: Container) -> None:
    Files(container).put("/etc", (member("motd", mode=0o640), b"welcome\n"))
    assert container.output("cat", "/etc/motd") == "welcome\n"


def test_a_running_container(container: Container, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the volume")
    mounts = (Mount("volume", str(tmp_path), "/vol"), Mount("tmpfs", "", "/memory"))
    container.start(*SLEEP, mounts=mounts)
    container.exec("sh", "-c", "echo inside > /tmp/made; echo x > /memory/x; mkdir /tmp/empty")
    running = Files(container, running=True, mounts=list(mounts))
    assert running.get("/tmp/made")["made"][1] == b"inside\n"
    assert running.get("/vol/file")["file"][1] == b"of the volume"
    running.put("/tmp", (member("sent"), b"sent\n"))
    assert container.exec("cat", "/tmp/sent") == (b"sent\n", 0)
    assert list(running.get("/proc")) == ["proc"]
    with pytest.raises(NotFound):
        running.stat("/memory/x")
    exported = running.export()
    assert "tmp/made" in exported
    assert "vol" in exported
    assert "vol/file" not in exported
    assert not [name for name in exported if name.startswith(("proc/", "sys/"))]
    changes = running.changes()
    assert (changes["/tmp"], changes["/tmp/made"], changes["/tmp/empty"], changes["/vol"]) == ("C", "A", "A", "A")
    assert not [path for path in changes if path.startswith(("/etc", "/dev", "/proc", "/sys"))]


def test_hostile_links_of_a_running_container(container: Container, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the host")
    container.start(*SLEEP)
    links = {"/out": tmp_path, "/magic": f"/proc/1/root{tmp_path}", "/up": f"../../..{tmp_path}", "/etc/d": "/out"}
    for name, link in links.items():
        container.exec("ln", "-s", str(link), name)
    running = Files(container, running=True)
    for path in ("/out/secret", "/magic/secret", "/up/secret", "/etc/d/secret"):
        with pytest.raises(NotFound):
            running.get(path)
    for path in ("/out", "/magic", "/up", "/etc/d"):
        with pytest.raises(NotFound):
            running.put(path, (member("evil"), b""))
    container.exec("sh", "-c", "mkdir /t; ln -s /out /t/x")
    with pytest.raises(SystemFailure):
        running.put("/t", (member("x/evil"), b""))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_a_device_of_a_container_is_never_opened(container: Container) -> None:
    """Not even when it takes the place of a file between looking and opening: the view is mounted nodev."""
    box = Files(container)
    box.put("/tmp", (member("zero", tarfile.CHRTYPE, 0o666, devmajor=1, devminor=5), b""))

    def open_it() -> None:
        archive_view.enter(box.target)
        os.open("/tmp/zero", os.O_RDONLY)

    with pytest.raises(SystemFailure, match="PermissionError"):
        archive_child.run(open_it, 20)


def test_the_identity_of_the_process_is_checked(container: Container) -> None:
    container.start(*SLEEP)
    running = Files(container, running=True)
    running.target = running.target._replace(start_time=1)
    with pytest.raises(Conflict, match=f"^container {container.id} is not running$"):
        running.stat("/")
    running.target = running.target._replace(start_time=None)
    with pytest.raises(Conflict):
        running.stat("/")


# diff


def test_changes(container: Container) -> None:
    script = "rm /etc/group; echo www:x:9:9:::/bin/sh >> /etc/passwd; mkdir -p /srv/a; touch /srv/a/b; chmod 700 /root"
    container.output("sh", "-c", script)
    assert Files(container).changes() == {
        "/etc": "C", "/etc/group": "D", "/etc/passwd": "C", "/root": "C", "/srv": "A", "/srv/a": "A", "/srv/a/b": "A",
    }  # fmt: skip


def test_a_container_that_changed_nothing(container: Container) -> None:
    container.output("true")
    assert Files(container).changes() == {}


def test_a_directory_made_anew(container: Container) -> None:
    container.output("sh", "-c", "rm -r /tmp; mkdir /tmp; touch /tmp/x")
    assert Files(container).changes() == {"/tmp": "C", "/tmp/x": "A"}
