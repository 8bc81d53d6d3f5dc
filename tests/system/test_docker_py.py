"""The other client that everybody has: docker-py."""

from __future__ import annotations

import gc
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from docker import DockerClient, errors, types

from tests.support.archives import busybox_layer, docker_archive

# docker-py leaves the sockets of upgraded and streamed connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def collect_in_time() -> Iterator[None]:
    """Let the collector find them while the warning is still ignored."""
    yield
    gc.collect()


@contextmanager
def gone_afterwards(client: DockerClient, reference: str) -> Iterator[None]:
    yield
    client.images.remove(reference, force=True)


def test_ping_and_version(client: DockerClient) -> None:
    assert client.ping() is True
    assert client.version()["ApiVersion"]
    assert client.info()["OSType"] == "linux"


def test_run(client: DockerClient, image: str) -> None:
    assert client.containers.run(image, ["echo", "hello"], remove=True) == b"hello\n"
    assert client.containers.run(image, "sh -c 'echo err >&2'", stderr=True, remove=True) == b"err\n"


def test_a_failing_command(client: DockerClient, image: str) -> None:
    with pytest.raises(errors.ContainerError) as caught:
        client.containers.run(image, ["sh", "-c", "echo why >&2; exit 3"], remove=True)
    assert (caught.value.exit_status, caught.value.stderr) == (3, b"why\n")


def test_missing_things(client: DockerClient) -> None:
    for lookup in (client.containers.get, client.images.get, client.volumes.get, client.networks.get):
        with pytest.raises(errors.NotFound):
            lookup("nothing-like-it")
    with pytest.raises(errors.ImageNotFound):
        client.containers.create("nothing-like-it:none")


def test_a_life(client: DockerClient, image: str) -> None:
    container = client.containers.create(
        image, ["sleep", "1000"], name="python-made", environment={"A": "1"}, labels={"l": "1"}, mem_limit="64m",
        ports={"80/tcp": ("127.0.0.1", None)}, tmpfs={"/scratch": "size=1m"},
    )  # fmt: skip
    assert container.status == "created"
    container.start()
    container.reload()
    assert container.status == "running"
    assert container.attrs["NetworkSettings"]["Ports"]["80/tcp"][0]["HostIp"] == "127.0.0.1"
    assert client.containers.list(filters={"label": "l=1"}) == [container]
    container.pause()
    container.unpause()
    container.rename("python-renamed")
    container.restart(timeout=0)
    assert container.top()["Processes"][0][-1] == "sleep 1000"
    container.stop(timeout=0)
    assert container.wait()["StatusCode"] == 137
    container.remove(v=True)
    with pytest.raises(errors.NotFound):
        container.reload()


def test_exec(client: DockerClient, image: str) -> None:
    container = client.containers.run(image, ["sleep", "1000"], detach=True)
    code, (out, err) = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True)
    assert (code, out, err) == (4, b"out\n", b"err\n")
    code, output = container.exec_run("id -u", user="nobody")
    assert (code, output) == (0, b"65534\n")
    assert b"".join(container.exec_run(["seq", "3"], stream=True).output) == b"1\n2\n3\n"


def test_exec_by_socket(client: DockerClient, image: str) -> None:
    container = client.containers.run(image, ["sleep", "1000"], detach=True)
    made = client.api.exec_create(container.id, ["sh", "-c", "read x; echo got $x"], stdin=True, tty=True)
    connection = client.api.exec_start(made["Id"], tty=True, socket=True)
    connection._sock.sendall(b"typed\n")
    received = b""
    while b"got typed" not in received:
        received += connection._sock.recv(4096)
    connection.close()


def test_logs(client: DockerClient, image: str) -> None:
    container = client.containers.run(image, ["sh", "-c", "echo e >&2; sleep 0.2; seq 3"], detach=True)
    container.wait()
    assert container.logs(stderr=False) == b"1\n2\n3\n"
    assert container.logs(tail=1) == b"3\n"
    assert b"".join(container.logs(stream=True, follow=True, stdout=False)) == b"e\n"


def test_attach(client: DockerClient, image: str) -> None:
    container = client.containers.create(image, ["cat"], stdin_open=True)
    connection = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    connection._sock.sendall(b"echoed\n")
    received = b""
    while len(received) < 15:
        received += connection._sock.recv(4096)
    assert received == b"\x01\0\0\0\0\0\0\x07echoed\n"
    connection.close()


def test_stats(client: DockerClient, image: str) -> None:
    container = client.containers.run(image, ["sleep", "1000"], detach=True)
    one = container.stats(stream=False)
    assert one["cpu_stats"]["cpu_usage"]["total_usage"] >= one["precpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert one["memory_stats"]["usage"] > 0
    assert one["pids_stats"]["current"] == 1
    assert one["networks"]["eth0"]["rx_bytes"] >= 0
    stream = container.stats(decode=True)
    assert [next(stream)["name"] for _ in range(2)] == [f"/{container.name}"] * 2
    stream.close()


def test_archives(client: DockerClient, image: str) -> None:
    container = client.containers.create(image)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo("given")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"data"))
    assert container.put_archive("/root", data.getvalue())
    chunks, status = container.get_archive("/root/given")
    assert (status["name"], status["size"]) == ("given", 4)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        member = archive.extractfile("given")
        assert member is not None
        assert member.read() == b"data"


def test_images(client: DockerClient) -> None:
    (loaded,) = client.images.load(docker_archive(["muelle-system/py:1"], [busybox_layer()], {"Labels": {"py": "1"}}))
    with gone_afterwards(client, "muelle-system/py:1"):
        assert loaded.tags == ["muelle-system/py:1"]
        assert loaded.tag("muelle-system/py", "2")
        assert client.images.get("muelle-system/py:2").id == loaded.id
        assert b"".join(loaded.save())[:1]
        assert loaded.history()[0]["CreatedBy"] == "layer 0"
        client.images.remove("muelle-system/py:2")


def test_volumes(client: DockerClient, image: str) -> None:
    volume = client.volumes.create("python-volume", labels={"l": "1"})
    assert client.volumes.list(filters={"label": "l=1"}) == [volume]
    mount = types.Mount("/data", "python-volume")
    client.containers.run(image, ["touch", "/data/x"], mounts=[mount], remove=True)
    binds = {"python-volume": {"bind": "/v", "mode": "ro"}}
    assert client.containers.run(image, ["ls", "/v"], volumes=binds, remove=True) == b"x\n"
    volume.remove()


def test_events(client: DockerClient, image: str) -> None:
    stream = client.events(decode=True, filters={"type": "container", "event": "die"})
    client.containers.run(image, ["true"], name="python-mortal", remove=True)
    for event in stream:
        if event["Actor"]["Attributes"]["name"] == "python-mortal":
            break
    stream.close()


def test_df(client: DockerClient) -> None:
    assert {"Images", "Containers", "Volumes", "LayersSize"} <= set(client.df())


def test_the_start_of_an_exec_says_how_its_output_is_framed(client: DockerClient, image: str) -> None:
    """The session may have a terminal that its start does not mention: docker-py expects frames then."""
    container = client.containers.run(image, ["sleep", "1000"], detach=True)
    try:
        for tty in (True, False):
            session = client.api.exec_create(container.id, ["sh", "-c", "echo out; test -t 1 && echo tty"], tty=tty)
            expected = (b"out\r\ntty\r\n", None) if tty else (b"out\n", None)
            assert client.api.exec_start(session, demux=True) == expected
        session = client.api.exec_create(container.id, ["printf", "raw"])
        assert client.api.exec_start(session, tty=True) == b"raw"
    finally:
        container.remove(force=True)
