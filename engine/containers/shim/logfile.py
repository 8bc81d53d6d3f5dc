"""Writes a container's log in Docker's json-file form: ``{"log":"text\\n","stream":"stdout","time":"…Z"}`` a line.

The common case, many complete lines of plain ASCII in one read, is two ``replace`` calls for the whole block, so that
the shim keeps pace with a program that logs as fast as it can. All lines of a block carry the time at which it was
read.
"""

from __future__ import annotations

import os
import time

PARTIAL_SIZE = 16 * 1024  # Docker cuts longer lines; the pieces but the last have no newline
_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b'"\\')) + b"\n"
_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x20)} | {
    ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", ord('"'): '\\"', ord("\\"): "\\\\", 0x7F: "\\u007f",
}  # fmt: skip


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC with nanoseconds: ``2026-01-02T03:04:05.000000006Z``."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"


def escape(text: bytes) -> bytes:
    """The body of a JSON string; what is not UTF-8 becomes U+FFFD, as Go's encoder does it."""
    if not text.translate(None, _PLAIN):
        return text.replace(b"\n", b"\\n")
    return text.decode("utf-8", "replace").translate(_ESCAPES).encode()


class LogFile:
    """An append-only log with rotation: ``path`` is written, ``path.1`` is the newest old file.

    A write that fails (a full disk) is dropped: the container goes on. ``size`` of 0 never rotates.
    """

    def __init__(self, path: str, max_size: int, max_files: int, group: int) -> None:
        self._path, self._max_size, self._max_files, self._group = path, max_size, max_files, group
        self._pending = {"stdout": b"", "stderr": b""}
        self._open()

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        os.fchown(self._fd, 0, self._group)
        self._size = os.fstat(self._fd).st_size

    def write(self, stream: str, data: bytes) -> None:
        """Record what a stream gave. An incomplete last line is kept for the next call."""
        data = self._pending[stream] + data
        end = data.rfind(b"\n") + 1
        block, rest = data[:end], data[end:]
        now = timestamp(time.time_ns())
        if block:
            self._append(self._encode(block, stream, now))
        while len(rest) > PARTIAL_SIZE:
            piece, rest = _cut(rest)
            self._append(_line(escape(piece), stream, now))
        self._pending[stream] = rest

    def flush(self) -> None:
        """Write incomplete lines: the streams have ended."""
        for stream, rest in self._pending.items():
            if rest:
                self._append(_line(escape(rest), stream, timestamp(time.time_ns())))
            self._pending[stream] = b""

    def _encode(self, block: bytes, stream: str, now: str) -> bytes:
        if len(block) > PARTIAL_SIZE and max(map(len, block.split(b"\n"))) >= PARTIAL_SIZE:
            return b"".join(_line(escape(piece), stream, now) for piece in _pieces(block))
        separator = _line(b"\\n", stream, now)[len(b'{"log":"') :] + b'{"log":"'
        body = escape(block[:-1]).replace(b"\\n", separator) if b"\\" not in block else self._slowly(block, separator)
        return _line(body + b"\\n", stream, now)

    @staticmethod
    def _slowly(block: bytes, separator: bytes) -> bytes:
        """A block with backslashes of its own, where ``\\n`` in the escaped text may not be a newline."""
        return separator.join(escape(line) for line in block[:-1].split(b"\n"))

    def _append(self, record: bytes) -> None:
        if self._max_size and self._size and self._size + len(record) > self._max_size:
            self._rotate()
        try:
            self._size += os.write(self._fd, record)
        except OSError:
            return

    def _rotate(self) -> None:
        os.close(self._fd)
        for number in range(self._max_files - 1, 0, -1):
            older = f"{self._path}.{number - 1}" if number > 1 else self._path
            if os.path.exists(older):
                os.replace(older, f"{self._path}.{number}")
        if self._max_files <= 1:
            os.unlink(self._path)
        self._open()


def _line(escaped: bytes, stream: str, now: str) -> bytes:
    return b'{"log":"%b","stream":"%b","time":"%b"}\n' % (escaped, stream.encode(), now.encode())


def _pieces(block: bytes) -> list[bytes]:
    pieces = []
    for line in block[:-1].split(b"\n"):
        rest = line + b"\n"
        while len(rest) > PARTIAL_SIZE:
            piece, rest = _cut(rest)
            pieces.append(piece)
        pieces.append(rest)
    return pieces


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Cut off PARTIAL_SIZE bytes, or a few less so as not to cut a UTF-8 sequence."""
    end = PARTIAL_SIZE
    while 0x80 <= data[end] < 0xC0 and end > PARTIAL_SIZE - 3:
        end -= 1
    return data[:end], data[end:]
