"""Reads container logs in Docker's json-file form, across rotated files: ``path`` is the newest, ``path.1`` is older.

A file is known by its inode, so a rotation in the middle of reading changes nothing: what was ``path`` is found again
as ``path.1``, and its successor is the file before it. One descriptor is open at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

import orjson

from engine import rfc3339

# Bytes read and parsed at once, some hundred lines. The parser keeps the interpreter to itself meanwhile, and the event
# loop waits for it; larger blocks also leave the processor's cache.
_BLOCK = 1 << 16
_LONGEST_LINE = 1 << 20  # a longer one is no log line: the writer cuts at 16 KiB, and escaping makes six of one at most
_TIME_LENGTH = len("2026-01-02T03:04:05.000000006Z")
_TRIES = 100
_new = tuple.__new__


class Record(NamedTuple):
    """One line, or a piece of a very long one."""

    stream: str  # "stdout" or "stderr"
    time: str  # RFC 3339 in UTC, always nine digits of a second: sorts as text
    line: bytes  # with its newline; a piece has none


class Selection(NamedTuple):
    """Which records somebody wants. Times are nanoseconds since 1970."""

    stdout: bool = True
    stderr: bool = True
    since: int | None = None
    until: int | None = None

    def apply(self, records: list[Record]) -> tuple[list[Record], bool]:
        """Return the wanted ones, and whether ``until`` is passed: then nothing that follows is wanted."""
        ended = False
        if self.until is not None:
            last = rfc3339.render_fixed(self.until)
            end = next((index for index, record in enumerate(records) if record.time > last), None)
            if end is not None:
                records, ended = records[:end], True
        if self.since is not None:
            first = rfc3339.render_fixed(self.since)
            records = [record for record in records if record.time >= first]
        if not (self.stdout and self.stderr):
            wanted = {"stdout"} if self.stdout else {"stderr"} if self.stderr else set()
            records = [record for record in records if record.stream in wanted]
        return records, ended


EVERYTHING = Selection()


def read(
    path: str | os.PathLike[str], selection: Selection = EVERYTHING, tail: int | None = None
) -> Iterator[list[Record]]:
    """What is in the log now, in batches. ``tail`` counts lines of both streams before the selection, as in Docker."""
    with Follower(path, tail, snapshot=True) as follower:
        while records := follower.read():
            wanted, ended = selection.apply(records)
            if wanted:
                yield wanted
            if ended:
                return


class Follower:
    """Reads a log from its beginning, or from the last ``tail`` lines on, and then whatever is added.

    With ``snapshot`` it ends where the log ended when it was opened. A log that does not exist yet is an empty one.
    """

    def __init__(self, path: str | os.PathLike[str], tail: int | None = None, *, snapshot: bool = False) -> None:
        self._path = os.fspath(path)
        self._fd = -1
        self._inode = self._offset = 0
        self._rest = b""
        self._end: tuple[int, int] | None = None
        if snapshot:
            newest = self._stat(0)
            self._end = (newest.st_ino, newest.st_size) if newest else (0, 0)
        self._start(tail)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self) -> list[Record]:
        """The next batch, up to `_BLOCK` bytes of the file; empty when there is no more for now."""
        if self._fd < 0:
            self._start(None)
        while self._fd >= 0:
            block = os.pread(self._fd, self._room(), self._offset)
            if block:
                self._offset += len(block)
                if records := self._decode(block):
                    return records
            elif not self._advance():
                break
        return []

    def _room(self) -> int:
        if self._end and self._end[0] == self._inode:
            return max(0, min(_BLOCK, self._end[1] - self._offset))
        return _BLOCK

    def _decode(self, block: bytes) -> list[Record]:
        end = block.rfind(b"\n") + 1
        if not end:
            self._rest = self._rest + block if len(self._rest) < _LONGEST_LINE else b""
            return []
        complete, self._rest = self._rest + block[:end], block[end:]
        return decode(complete)

    def _advance(self) -> bool:
        """At the end of a file: whether there is something to read after all."""
        if self._end and self._end[0] == self._inode:
            return False
        if os.fstat(self._fd).st_size < self._offset:  # somebody emptied the file
            self._offset, self._rest = 0, b""
            return True
        newest = self._stat(0)
        if newest is None or newest.st_ino == self._inode:
            return False
        # Rotated. The writer closed this file before, so what comes now is its last; then the next file.
        return bool(os.pread(self._fd, 1, self._offset)) or self._move(-1)

    def _start(self, tail: int | None) -> None:
        if tail is None:
            self._open_oldest()
        elif self._swap(self._descriptor(0)):
            self._offset, found = _tail(self._fd, tail)
            while found < tail and self._move(1):
                tail -= found
                self._offset, found = _tail(self._fd, tail)

    def _open_oldest(self) -> bool:
        for _ in range(_TRIES):
            indices = self._indices()
            if not indices:
                return False
            if self._swap(self._descriptor(max(indices.values()))):
                return True
        return False

    def _move(self, step: int) -> bool:
        """Go to the next older (1) or newer (-1) file; if this one has been deleted meanwhile, to the oldest."""
        for _ in range(_TRIES):
            indices = self._indices()
            here = indices.get(self._inode)
            if here is None:
                return step < 0 and self._open_oldest()
            if step > 0 and here == max(indices.values()):
                return False
            fd = self._descriptor(here + step)
            # A rotation between the two look-ups would make us skip a file or read one twice.
            if fd is not None and self._indices().get(self._inode) == here:
                return self._swap(fd)
            if fd is not None:
                os.close(fd)
            time.sleep(0.001)
        return False

    def _swap(self, fd: int | None) -> bool:
        if fd is None:
            return False
        self.close()
        self._fd, self._inode, self._offset, self._rest = fd, os.fstat(fd).st_ino, 0, b""
        return True

    def _name(self, index: int) -> str:
        return f"{self._path}.{index}" if index else self._path

    def _descriptor(self, index: int) -> int | None:
        try:
            return os.open(self._name(index), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None

    def _stat(self, index: int) -> os.stat_result | None:
        try:
            return os.stat(self._name(index), follow_symlinks=False)  # noqa: PTH116 -- a str is what os.open takes too
        except FileNotFoundError:
            return None

    def _indices(self) -> dict[int, int]:
        """Inode → number of all files there are. While files are being renamed, one number is missing for a moment."""
        found: dict[int, int] = {}
        missing = index = 0
        while missing < 2:
            status = self._stat(index)
            if status is None:
                missing += 1
            else:
                found[status.st_ino], missing = index, 0
            index += 1
        return found


def decode(block: bytes) -> list[Record]:
    """Parse complete lines. What is no record (a line torn by a full disk, say) is left out."""
    try:
        # A newline inside a JSON string is escaped, so this pair of bytes only stands between two lines.
        return _records(orjson.loads(b"[" + block[:-1].replace(b"}\n{", b"},\n{") + b"]"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return [record for line in block.split(b"\n") for record in _decode_line(line)]


def _decode_line(line: bytes) -> list[Record]:
    try:
        return _records([orjson.loads(line)])
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _records(entries: list[dict[str, str]]) -> list[Record]:
    # Record(...) takes three times as long, a function for each entry half as long again, and there may be millions.
    return [
        _new(
            Record,
            (
                entry["stream"],
                moment if len(moment := entry["time"]) == _TIME_LENGTH else _nine_digits(moment),
                entry["log"].encode(),
            ),
        )
        for entry in entries
    ]


def _nine_digits(moment: str) -> str:
    """Docker drops trailing zeros of the fraction."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    return f"{whole}.{fraction:0<9.9}Z"


def _tail(fd: int, lines: int) -> tuple[int, int]:
    """Where the last ``lines`` lines of a file begin, and how many there are from there on: fewer when it is short."""
    end = os.fstat(fd).st_size
    found = -1  # the newline that ends the last line begins nothing
    while end > 0:
        start = max(0, end - _BLOCK)
        block = os.pread(fd, end - start, start)
        count = block.count(b"\n")
        if found + count >= lines:
            at = len(block)
            while found < lines:
                at = block.rindex(b"\n", 0, at)
                found += 1
            return start + at + 1, lines
        found += count
        end = start
    return 0, found + 1
