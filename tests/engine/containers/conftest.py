"""A launcher of its own, one image layer, and a container to start from it: what the runtime needs, no more."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.containers import config as config_rules
from engine.containers import resources, runtime, spec, wire
from engine.containers.config.mounts import Mount
from engine.containers.runtime import Exit, Started
from engine.containers.spec import Specification
from engine.layout import Layout
from tests.engine.containers.archive_files import Files
from tests.support.archives import member

BUSYBOX = Path("/bin/busybox")
LAYER = "busybox"


def _make_layer(directory: Path) -> None:
    for name in ("bin", "etc", "tmp", "proc", "root"):
        (directory / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, directory / "bin/busybox")
    for applet in subprocess.check_output([BUSYBOX, "--list"], text=True).split():
        if applet != "busybox":
            (directory / "bin" / applet).symlink_to("busybox")
    (directory / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/srv:/bin/sh\n")
    (directory / "etc/group").write_text("root:x:0:\nwww:x:34:\nextra:x:77:www\n")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """An engine's directories with a running launcher."""
    with launched(Layout(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("run"))) as layout:
        yield layout


@contextmanager
def launched(layout: Layout, *prefix: str) -> Iterator[Layout]:
    """The directories of an engine and its launcher, started through ``prefix``, a command such as nsenter(1)."""
    for directory in (layout.home / "containers", layout.cache, layout.run / "shims"):
        directory.mkdir()
    _make_layer(layout.images / "layers" / LAYER)
    command = [*prefix, sys.executable, "-S", "-E", "-m", "engine.containers.shim.launcher", str(layout.run), "0"]
    launcher = subprocess.Popen(command)
    while not layout.attach_socket.exists():
        assert launcher.poll() is None
        time.sleep(0.01)
    yield layout
    for container in (layout.home / "containers").iterdir():
        runtime.delete(layout, container.name)
    launcher.kill()
    launcher.wait()
    runtime.delete_parent(layout)


class Container:
    """One container, driven through the runtime as a worker drives it."""

    def __init__(self, layout: Layout, container_id: str) -> None:
        self.layout, self.id = layout, container_id
        self.directory = layout.container(container_id)
        self.directory.mkdir()
        for name in ("hosts", "hostname", "resolv.conf"):
            (self.directory / name).write_text("127.0.0.1 localhost\n")

    def specification(
        self, *args: str, mounts: tuple[Mount, ...] = (), host: dict[str, Any] | None = None, **config: Any
    ) -> Specification:
        complete = config_rules.complete_config({"Cmd": list(args), **config})
        host_config = config_rules.complete_host_config(host or {})
        return Specification(self.id, "one", complete, host_config, (LAYER,), mounts)

    def spec(self, *args: str, **options: Any) -> spec.Spec:
        return spec.build(self.layout, self.specification(*args, **options))

    def start(self, *args: str, **options: Any) -> Started:
        specification = self.specification(*args, **options)
        limits = resources.limits(specification.host_config)
        return runtime.start(self.layout, self.id, spec.build(self.layout, specification), limits)

    def attach(self, **fields: Any) -> socket.socket:
        """Attach before or after the start; all streams, unframed, unless ``fields`` say otherwise."""
        request = {"op": "attach", "container": self.id, "stdin": True, "stdout": True, "stderr": True}
        request |= {"framed": False, "detach_keys": [16, 17], **fields}
        ours, theirs = socket.socketpair()
        with theirs:
            wire.call(self.layout.attach_socket, request, [theirs.fileno()])
        ours.settimeout(20)
        return ours

    def output(self, *args: str, **options: Any) -> str:
        """Run to the end and return what it wrote."""
        with self.attach() as connection:
            self.start(*args, **options)
            output = drain(connection)
        self.wait()
        return output.decode(errors="replace")

    def exec(self, *args: str, stdin: bytes | None = None, **fields: Any) -> tuple[bytes, int | None]:
        """Run one more process to its end; returns its output and exit code."""
        request = {
            "op": "exec", "id": os.urandom(8).hex(), "args": list(args), "env": [], "cwd": "", "user": "", "tty": False,
            "privileged": False, "stdin": stdin is not None, "stdout": True, "stderr": True, "detach_keys": [],
            "console_size": None, "framed": False, **fields,
        }  # fmt: skip
        ours, theirs = socket.socketpair()
        with theirs:
            wire.call(self.socket, request, [theirs.fileno()])
        with ours:
            if stdin is not None:
                ours.sendall(stdin)
                ours.shutdown(socket.SHUT_WR)
            output = drain(ours)
        return output, wire.call(self.socket, {"op": "exec_state", "id": request["id"]})["exit_code"]

    @property
    def socket(self) -> Path:
        return self.layout.shim_socket(self.id)

    def wait(self, seconds: float = 20) -> Exit:
        deadline = time.monotonic() + seconds
        while not (ended := runtime.exit_of(self.layout, self.id)):
            assert time.monotonic() < deadline, "the container did not end"
            time.sleep(0.005)
        return ended


def drain(connection: socket.socket) -> bytes:
    """Everything up to the end of the stream."""
    received = bytearray()
    while block := connection.recv(65536):
        received += block
    return bytes(received)


@pytest.fixture
def container(engine: Layout) -> Iterator[Container]:
    made = Container(engine, os.urandom(32).hex())
    yield made
    runtime.delete(engine, made.id)


@pytest.fixture
def nothing_stays() -> Iterator[None]:
    """No child process and no mount of an operation outlives it."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    before = children.read_text().split(), Path("/proc/self/mounts").read_text().count("/view")
    yield
    after = children.read_text().split(), Path("/proc/self/mounts").read_text().count("/view")
    assert after == before


@pytest.fixture
def files(container: Container) -> Files:
    """A container that never ran, with something in it."""
    made = Files(container)
    made.put(
        "/tmp",
        (member("d", tarfile.DIRTYPE, 0o755), b""),
        (member("d/f", mode=0o4755, uid=1000, gid=1001, mtime=1700000000), b"hello"),
        (member("d/h", tarfile.LNKTYPE, linkname="d/f"), b""),
        (member("d/l", tarfile.SYMTYPE, linkname="f"), b""),
        (member("d/abs", tarfile.SYMTYPE, linkname="/etc"), b""),
        (member("d/nowhere", tarfile.SYMTYPE, linkname="/a/b"), b""),
        (member("d/fifo", tarfile.FIFOTYPE), b""),
        (member("d/null", tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
    )
    return made
