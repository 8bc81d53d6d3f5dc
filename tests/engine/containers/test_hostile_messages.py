"""Messages to the sockets of shim and launcher that nobody should send: a clear error, and the container goes on."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.containers import runtime, wire
from engine.errors import InvalidArgument, MuelleError

if TYPE_CHECKING:
    from engine.layout import Layout
    from tests.engine.containers.conftest import Container

pytestmark = pytest.mark.kernel

SHARED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
EXEC: dict[str, Any] = {
    "op": "exec", "args": ["true"], "env": [], "cwd": "", "user": "", "tty": False, "privileged": False,
    "stdin": False, "stdout": True, "stderr": True, "detach_keys": [], "console_size": None, "framed": False,
    "surplus": "",
}  # fmt: skip
ATTACH: dict[str, Any] = {
    "op": "attach", "stdin": True, "stdout": True, "stderr": True, "framed": False, "detach_keys": [],
    "surplus": "",
}  # fmt: skip
REQUESTS = [
    EXEC, ATTACH, {"op": "resize", "exec": None, "height": 1, "width": 1}, {"op": "exec_state", "id": "x"},
    {"op": "watch"}, {"op": "state"},
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A request in which one field is missing or of any other type."""
    request = dict(draw(st.sampled_from(REQUESTS)), id=os.urandom(8).hex())
    field = draw(st.sampled_from(sorted(request)))
    if draw(st.booleans()):
        del request[field]
    else:
        request[field] = draw(JSON)
    return request


def send(path: Path, data: bytes, fds: list[int] | None = None) -> None:
    """Send one packet, and read until there is an answer or the peer has closed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(20)
        sock.connect(str(path))
        try:
            socket.send_fds(sock, [data], fds or [])
            wire.close_all(wire.receive(sock)[1])
        except (OSError, EOFError):
            return


def alive(container: Container) -> bool:
    return runtime.alive(container.layout, container.id) and container.exec("echo", "fine") == (b"fine\n", 0)


def descriptors_of_shim(container: Container) -> int:
    """How many descriptors the shim holds; an exec's helper has just ended, and is noticed in a moment."""
    state = runtime.state(container.layout, container.id)
    assert state is not None
    time.sleep(0.2)
    return len(list(Path(f"/proc/{state.shim_pid}/fd").iterdir()))


def test_requests_with_wrong_types(container: Container) -> None:
    container.start("sleep", "600")
    descriptors = [os.open("/dev/null", os.O_RDWR), *(each.detach() for each in socket.socketpair())]

    @SHARED
    @given(spoiled(), st.integers(0, len(descriptors)))
    def check(request: dict[str, Any], count: int) -> None:
        send(container.socket, json.dumps(request).encode(), descriptors[:count])

    check()
    wire.close_all(descriptors)
    assert alive(container)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"1", b'"text"', b"null", b"\xff\xfe", b"[" * 100_000, b'{"op":' + b"[" * 60_000,
        b'{"op": []}', b'{"op": {}}', b'{"op": "nothing"}', b'{"op": "attach"}', b'{"op": "exec_state", "id": {}}',
        b'{"op": "resize", "exec": null, "height": 1e999, "width": 70000}', b'{"a": "' + b"x" * 150_000 + b'"}',
    ],
)  # fmt: skip
def test_packets_that_are_no_requests(container: Container, engine: Layout, data: bytes) -> None:
    container.start("sleep", "600")
    for path in (container.socket, engine.attach_socket, engine.launcher_socket):
        send(path, data)
        send(path, data, [0, 1])
    assert alive(container)


def test_more_descriptors_than_a_message_may_bring(container: Container, engine: Layout) -> None:
    container.start("sleep", "600")
    assert alive(container)
    before = descriptors_of_shim(container)
    many = [os.open("/dev/null", os.O_RDONLY) for _ in range(200)]
    for path in (container.socket, engine.attach_socket):
        send(path, json.dumps(ATTACH | {"container": container.id}).encode(), many)
    wire.close_all(many)
    assert alive(container)
    assert descriptors_of_shim(container) == before


def test_exec_sessions_leave_no_descriptor(container: Container) -> None:
    container.start("sleep", "600")
    assert alive(container)
    before = descriptors_of_shim(container)
    for _ in range(10):
        assert container.exec("cat", stdin=b"x") == (b"x", 0)
        assert container.exec("true", tty=True)[1] == 0
        for wrong in ({"args": ["nosuch"]}, {"user": "nobody-here"}, {"cwd": "/nosuch"}, {"args": ["/etc/passwd"]}):
            with pytest.raises(MuelleError):
                wire.call(container.socket, EXEC | {"id": os.urandom(8).hex()} | wrong)
    assert alive(container)
    assert descriptors_of_shim(container) == before


@pytest.mark.parametrize("surplus", ["a", "é", "!!!!", "QQ=", "QQ==\n"])
def test_surplus_that_is_not_base64(container: Container, engine: Layout, surplus: str) -> None:
    container.start("cat", OpenStdin=True)
    assert alive(container)
    before = descriptors_of_shim(container)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for path, request in (
            (container.socket, EXEC | {"id": "x"}),
            (container.socket, ATTACH),
            (engine.attach_socket, ATTACH | {"container": container.id}),
            (engine.attach_socket, ATTACH | {"container": os.urandom(32).hex()}),
        ):
            with pytest.raises(InvalidArgument, match="malformed request: surplus"):
                wire.call(path, request | {"surplus": surplus}, [theirs.fileno()])
    assert alive(container)
    assert descriptors_of_shim(container) == before


@pytest.mark.parametrize("kind", ["file", "datagram", "epoll", "none"])
def test_a_client_is_a_stream_socket(container: Container, engine: Layout, kind: str) -> None:
    container.start("cat", OpenStdin=True)
    makers: dict[str, Any] = {
        "file": lambda: [os.open("/dev/null", os.O_RDWR)],
        "datagram": lambda: [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach()],
        "epoll": lambda: [os.eventfd(0)],
        "none": list,
    }
    fds = makers[kind]()
    for path, request in ((container.socket, ATTACH), (engine.attach_socket, ATTACH | {"container": container.id})):
        with pytest.raises(InvalidArgument, match="client's connection"):
            wire.call(path, request, fds)
    if fds:
        with pytest.raises(InvalidArgument, match="client's connection"):
            wire.call(container.socket, EXEC | {"id": os.urandom(8).hex()}, fds)
    wire.close_all(fds)
    assert alive(container)


def test_the_launcher_lends_its_rights_to_nobody(container: Container, engine: Layout) -> None:
    """A shim takes the launcher for root; a signal must not pass through it."""
    container.start("cat", OpenStdin=True)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        request = ATTACH | {"op": "signal", "signal": 9, "container": container.id}
        wire.call(engine.attach_socket, request, [theirs.fileno()])
        with pytest.raises(MuelleError):
            wire.call(engine.attach_socket, request | {"container": "../launcher.sock"}, [theirs.fileno()])
    assert alive(container)
    assert runtime.exit_of(engine, container.id) is None


def test_variables_without_a_value_are_taken_away(container: Container) -> None:
    container.start("sleep", "600", Env=["A=1", "B=2"])
    assert container.exec("sh", "-c", "echo $A$B", env=["A", "B=3"]) == (b"3\n", 0)
