"""Where a request's body ends. What follows it may be anything: the next request, or a hijacked stream."""

from __future__ import annotations

from typing import NamedTuple

from httptools import HttpParserError, HttpRequestParser

from controlpanel.server.heads import BadRequest, Head, TooLarge

CHUNKED_HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"\r\n\r\n"
# Chunk extensions and trailers between two pieces of content.
MAX_OVERHEAD = 64 * 1024


class Piece(NamedTuple):
    """Content, and once the body is complete the bytes after it (else None)."""

    content: bytes
    rest: bytes | None


class Sized:
    """A body whose length the head names."""

    def __init__(self, length: int) -> None:
        self._left = length

    def feed(self, data: bytes) -> Piece:
        if len(data) < self._left:
            self._left -= len(data)
            return Piece(data, None)
        end, self._left = self._left, 0
        return Piece(data[:end], data[end:])


class Chunked:
    """A body in chunks, RFC 9112 section 7.1.

    llhttp does not tell where in its input a message ended, but it ends behind an empty line. So the parser is fed up
    to each empty line, of which few have anything to do with the end.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._content: list[bytes] = []
        self._limit = limit
        self._size = self._overhead = 0
        self._tail = b""
        self._complete = False
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(CHUNKED_HEAD)

    def on_body(self, content: bytes) -> None:
        self._content.append(content)
        self._size += len(content)

    def on_message_complete(self) -> None:
        self._complete = True

    def feed(self, data: bytes) -> Piece:
        """Raises BadRequest, and TooLarge."""
        start = 0
        while not self._complete and start < len(data):
            end = self._end_of_line(data, start)
            self._parse(data[start:end])
            start = end
        content, self._content = b"".join(self._content), []
        _check(self._size, self._limit)
        if not self._complete:
            self._bound(len(data), content)
            return Piece(content, None)
        return Piece(content, data[start:])

    def _end_of_line(self, data: bytes, start: int) -> int:
        """Where the next empty line ends, whose first bytes may have come with the data before; else the data's end."""
        if start == 0 and self._tail:
            seam = (self._tail + data[:3]).find(END)
            if seam >= 0:
                return seam + len(END) - len(self._tail)
        found = data.find(END, start)
        return len(data) if found < 0 else found + len(END)

    def _parse(self, data: bytes) -> None:
        self._tail = (self._tail + data[-3:])[-3:]
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            raise BadRequest(str(error)) from error

    def _bound(self, size: int, content: bytes) -> None:
        self._overhead = 0 if content else self._overhead + size
        if self._overhead > MAX_OVERHEAD:
            raise BadRequest("too much between two chunks")


Body = Sized | Chunked


def of(head: Head, limit: int | None) -> Body:
    """The body that a head announces, of ``limit`` bytes at most. Raises TooLarge, here or while it is fed."""
    if head.is_chunked:
        return Chunked(limit)
    _check(head.length, limit)
    return Sized(head.length)


def _check(size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise TooLarge(f"its body has more than {limit} bytes")
