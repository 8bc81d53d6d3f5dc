"""Names inside archives, and directories opened so that no symbolic link leads out of a root."""

from __future__ import annotations

import os
import posixpath
from collections import OrderedDict

from engine.errors import InvalidArgument
from engine.kernel import libc

IN_ROOT = libc.RESOLVE_IN_ROOT | libc.RESOLVE_NO_MAGICLINKS
_DIRECTORY = os.O_PATH | os.O_DIRECTORY


def clean(name: str) -> str:
    """``name`` as a path below the root without ``.``, ``..`` and slashes at its ends; the root itself is ``""``.

    ``..`` stops at the root and a leading slash means nothing, as in Docker, which unpacks behind chroot(2).
    """
    if "\0" in name:
        raise InvalidArgument("archive/tar: invalid tar header")
    return posixpath.normpath("/" + name).lstrip("/")


class Directories:
    """Descriptors of directories below ``root``, opened once and kept while their neighbours are unpacked.

    Resolution happens in the kernel under RESOLVE_IN_ROOT (openat2(2)), so a link in the archive or in the target, even
    one that changes meanwhile, is followed inside the root only.
    """

    _KEPT = 64

    def __init__(self, root: int) -> None:
        self._root = root
        self._open: OrderedDict[str, int] = OrderedDict()

    def get(self, path: str) -> int:
        """A descriptor (O_PATH) of ``path``, made with its parents (0755) when missing; it stays ours."""
        if not path:
            return self._root
        if (fd := self._open.get(path)) is not None:
            self._open.move_to_end(path)
            return fd
        try:
            fd = libc.openat2(self._root, path, _DIRECTORY, resolve=IN_ROOT)
        except FileNotFoundError:
            fd = self._make(path)
        self._open[path] = fd
        if len(self._open) > self._KEPT:
            os.close(self._open.popitem(last=False)[1])
        return fd

    def _make(self, path: str) -> int:
        """Walk down iteratively: a hostile name may be thousands of levels deep."""
        fd = os.dup(self._root)
        try:
            done = ""
            for part in path.split("/"):
                done = f"{done}/{part}" if done else part
                below = self._step(fd, done, part)
                os.close(fd)
                fd = below
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _step(self, parent: int, path: str, name: str) -> int:
        try:
            return libc.openat2(self._root, path, _DIRECTORY, resolve=IN_ROOT)
        except FileNotFoundError:
            os.mkdir(name, 0o755, dir_fd=parent)
            os.chown(name, 0, 0, dir_fd=parent, follow_symlinks=False)
            return libc.openat2(parent, name, _DIRECTORY | os.O_NOFOLLOW, resolve=libc.RESOLVE_BENEATH)

    def forget(self) -> None:
        """After something was replaced, the path of a kept descriptor may mean another directory."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    close = forget
