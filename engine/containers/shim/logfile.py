"""Writes a container's log in Docker's json-file form: ``{"log":"text\\n","stream":"stdout","time":"…Z"}`` a line.

Nothing here runs once for each line or character, so that the shim keeps pace with a program that logs as fast as it
can: up to 16 KiB are escaped at once by the interpreter's own JSON encoder, unless they are plain ASCII, and then cut
into lines by ``replace``. All lines of one read carry the time at which it was made.
"""

from __future__ import annotations

import os
import time
from json.encoder import encode_basestring

from engine import rfc3339

PARTIAL_SIZE = 16 * 1024  # Docker cuts longer lines; the pieces but the last have no newline
_PLAIN = bytes(set(range(0x20, 0x80)) - set(b'"\\')) + b"\n"
# Valid in JSON, yet the end of a line in JavaScript: Go's encoder escapes them.
_SEPARATORS = {"\u2028": "\\u2028", "\u2029": "\\u2029"}


def escape(data: bytes) -> bytes:
    """The body of a JSON string; what is not UTF-8 becomes U+FFFD, as Go's encoder does it."""
    if _is_plain(data):
        return data.replace(b"\n", b"\\n")
    text = encode_basestring(data.decode("utf-8", "replace"))
    if not text.isascii():
        for character, escaped in _SEPARATORS.items():
            text = text.replace(character, escaped)
    return text[1:-1].encode()


class LogFile:
    """An append-only log with rotation: ``path`` is written, ``path.1`` is the newest old file.

    What cannot be written (a full disk) is dropped: the container goes on. ``size`` of 0 never rotates.
    """

    def __init__(self, path: str, max_size: int, max_files: int, group: int) -> None:
        self._path, self._max_size, self._max_files, self._group = path, max_size, max_files, group
        self._pending = {"stdout": b"", "stderr": b""}
        self._open()

    def _open(self) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            os.fchown(fd, 0, self._group)
        except OSError:
            os.close(fd)
            raise
        self._fd, self._size = fd, os.fstat(fd).st_size

    def write(self, stream: str, data: bytes) -> None:
        """Record what a stream gave. An incomplete last line is kept for the next call."""
        data = self._pending[stream] + data
        now = rfc3339.render_fixed(time.time_ns())
        while True:
            end = data.rfind(b"\n", 0, PARTIAL_SIZE) + 1
            if end:
                self._append(_lines(data[:end], stream, now))
            elif len(data) > PARTIAL_SIZE:
                end = _cut(data)
                self._append(_line(escape(data[:end]), stream, now))
            else:
                break
            data = data[end:]
        self._pending[stream] = data

    def flush(self) -> None:
        """Write incomplete lines: the streams have ended."""
        for stream, rest in self._pending.items():
            if rest:
                self._append(_line(escape(rest), stream, rfc3339.render_fixed(time.time_ns())))
            self._pending[stream] = b""

    def _append(self, record: bytes) -> None:
        try:
            if self._fd < 0:
                self._open()
            elif self._max_size and self._size and self._size + len(record) > self._max_size:
                self._rotate()
            self._size += os.write(self._fd, record)
        except OSError:
            return

    def _rotate(self) -> None:
        """Raises OSError; then no file is open, which the next record tries again."""
        os.close(self._fd)
        self._fd = -1  # the number may be another's in a moment
        for number in range(self._max_files - 1, 0, -1):
            older = f"{self._path}.{number - 1}" if number > 1 else self._path
            if os.path.exists(older):
                os.replace(older, f"{self._path}.{number}")
        if self._max_files <= 1:
            os.unlink(self._path)
        self._open()


def _lines(block: bytes, stream: str, now: str) -> bytes:
    """The records of complete lines."""
    separator = _line(b"\\n", stream, now)[len(b'{"log":"') :] + b'{"log":"'
    return _line(_escape_lines(block[:-1], separator) + b"\\n", stream, now)


def _escape_lines(lines: bytes, separator: bytes) -> bytes:
    """Escape lines as one text, with ``separator`` in place of each newline."""
    if _is_plain(lines):
        return lines.replace(b"\n", separator)
    text = escape(lines)
    if b"\\" not in lines:
        return text.replace(b"\\n", separator)
    # In "\\n" the program's own backslash may come before an n. No control character is left to be mistaken for "\0".
    return text.replace(b"\\\\", b"\0").replace(b"\\n", separator).replace(b"\0", b"\\\\")


def _is_plain(data: bytes) -> bool:
    return not data.translate(None, _PLAIN)


def _line(escaped: bytes, stream: str, now: str) -> bytes:
    return b'{"log":"%b","stream":"%b","time":"%b"}\n' % (escaped, stream.encode(), now.encode())


def _cut(data: bytes) -> int:
    """Where to cut a line: after PARTIAL_SIZE bytes, or a few less so as not to cut a UTF-8 sequence."""
    end = PARTIAL_SIZE
    while 0x80 <= data[end] < 0xC0 and end > PARTIAL_SIZE - 3:
        end -= 1
    return end
