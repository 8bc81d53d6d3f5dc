"""The streams of docker cp, and how they end."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import threading
import time

import pytest

from engine.archives.streams import Sink, source
from engine.containers import archive
from engine.containers.archive import child as archive_child
from engine.errors import SystemFailure, Unavailable
from tests.engine.containers.archive_files import Files
from tests.support.archives import layer, member

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("nothing_stays")]


def test_a_reader_that_goes_away_ends_the_work(files: Files) -> None:
    files.put("/tmp", (member("big"), bytes(8 << 20)))
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(Unavailable, match="the client went away"):
        archive.get(files.target, "/tmp/big", writer)
    os.close(writer)


def test_a_reader_that_goes_away_before_a_byte_ends_the_work() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(Unavailable, match="the client went away"):
        archive_child.run(lambda: time.sleep(60), 10, writer)
    os.close(writer)


def test_a_child_that_is_killed_is_noticed() -> None:
    with pytest.raises(SystemFailure, match="the child process was killed"):
        archive_child.run(lambda: os.kill(os.getpid(), signal.SIGKILL), 10)


def test_a_reader_that_stops_ends_the_work(files: Files) -> None:
    files.put("/tmp", (member("big"), bytes(8 << 20)))
    reader, writer = os.pipe()
    with pytest.raises(Unavailable, match="not finished after"):
        archive.get(files.target, "/tmp/big", writer, timeout=0.5)
    os.close(reader)
    os.close(writer)


def test_a_sender_that_stops_ends_the_work(files: Files) -> None:
    reader, writer = os.pipe()
    os.write(writer, layer([(member("slow"), bytes(4000))])[:1000])
    with pytest.raises(Unavailable, match="not finished after"):
        archive.put(files.target, "/tmp", reader, timeout=0.5)
    os.close(reader)
    os.close(writer)


def test_descriptors_that_do_not_block() -> None:
    """Their other owner may have made them so."""
    content = os.urandom(1 << 20)
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_blocking(fd, False)

    def send() -> None:
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            sink = Sink(writer)
            sink.write(b"head")
            sink.copy(file.fileno(), len(content) + 10)
            sink.flush()
        os.close(writer)

    sender = threading.Thread(target=send)
    sender.start()
    received = source(reader).read()
    sender.join()
    os.close(reader)
    assert received == b"head" + content + bytes(10)


def test_kinds_of_go() -> None:
    assert archive.go_mode(stat.S_IFSOCK | 0o1777) == 1 << 24 | 1 << 20 | 0o777
    assert archive.go_mode(stat.S_IFREG | 0o2644) == 1 << 22 | 0o644
    assert archive.go_mode(stat.S_IFBLK) == 1 << 26
