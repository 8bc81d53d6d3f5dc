"""A request body on its way to whoever reads it, without the server holding more than one chunk."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from controlpanel.server.discard import Discard


class Upload:
    """Bytes from the connection into a socket pair; the connection is paused while the reader is behind.

    A reader must tell the end of a body from a client that broke off. The writing end starts with one unread byte, and
    a UNIX socket that is closed with unread bytes gives its peer ECONNRESET instead of the end of file
    (``unix_release_sock`` in net/unix/af_unix.c); at the true end the byte is taken out first.
    """

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None], cut: Callable[[], None]) -> None:
        self._pause, self._resume, self._cut = pause, resume, cut
        self._writer, self._reader = socket.socketpair()
        self._reader.send(b"\0")
        self._writer.setblocking(False)
        self._pending = bytearray()
        self._opened = False
        self._waiting = False
        self._discard: Discard | None = None
        self.complete = False

    def open(self) -> int:
        """Hand out the reading end and let the body flow."""
        self._opened = True
        fd = self._reader.detach()
        self._flush()
        return fd

    def feed(self, data: bytes) -> None:
        """Take a chunk that has arrived."""
        if self._discard is not None:
            self._discard.feed(len(data))
            return
        self._pending += data
        self._flush()
        if self._pending:
            self._pause()

    def finish(self) -> None:
        """The body has arrived as a whole."""
        self.complete = True
        self._flush()

    def discard(self) -> None:
        """Nobody wants the rest: read it up to a limit, so that the client gets to read its answer."""
        self._close()
        self._discard = self._discard or Discard(self._cut)
        self._pending.clear()
        if not self.complete:
            self._resume()

    def abort(self) -> None:
        """The client left before the end."""
        self._close()

    def _flush(self) -> None:
        if not self._opened or self._writer.fileno() < 0:
            return
        try:
            while self._pending:
                del self._pending[: self._writer.send(self._pending)]
        except BlockingIOError:
            self._wait()
            return
        except OSError:
            # The reader closed its end; the view answers why.
            self.discard()
            return
        self._rest()
        if self.complete:
            self._writer.recv(1)
            self._close()
        else:
            self._resume()

    def _wait(self) -> None:
        if not self._waiting:
            self._waiting = True
            asyncio.get_running_loop().add_writer(self._writer, self._flush)

    def _rest(self) -> None:
        if self._waiting:
            self._waiting = False
            asyncio.get_running_loop().remove_writer(self._writer)

    def _close(self) -> None:
        if self._writer.fileno() >= 0:
            self._rest()
            self._writer.close()
        self._reader.close()
