"""nft(8) through libnftables, the library behind the command: no process is started, and a script is one transaction.

Scripts are text in nft's language; answers are its JSON form (libnftables-json(5)). The context's netlink socket
belongs to the network namespace of its opener.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
from functools import cache
from typing import Any, Self

_LIBRARY = "libnftables.so.1"
_NFT_CTX_DEFAULT = 0
_NFT_CTX_OUTPUT_JSON = 1 << 4  # <nftables/libnftables.h>


@cache
def _library() -> ctypes.CDLL:
    """The library with its prototypes; loaded when the first firewall is touched, not when a worker starts.

    A CDLL gives up the interpreter lock during a call: a transaction that fails waits for an RCU grace period.
    """
    library = ctypes.CDLL(_LIBRARY, use_errno=True)
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_free.argtypes = [ctypes.c_void_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("output", "error"):
        getattr(library, f"nft_ctx_buffer_{name}").argtypes = [ctypes.c_void_p]
        getattr(library, f"nft_ctx_get_{name}_buffer").argtypes = [ctypes.c_void_p]
        getattr(library, f"nft_ctx_get_{name}_buffer").restype = ctypes.c_char_p
    return library


class Nftables:
    """One context, to be closed. Not for use by two threads at once."""

    def __init__(self) -> None:
        self._library = _library()
        self._context = self._library.nft_ctx_new(_NFT_CTX_DEFAULT)
        if not self._context:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), _LIBRARY)
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)
        self._library.nft_ctx_output_set_flags(self._context, _NFT_CTX_OUTPUT_JSON)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.nft_ctx_free(self._context)

    def run(self, purpose: str, script: str) -> None:
        """Carry out a script as one transaction, all or nothing. OSError carries nft's text and the purpose."""
        if self._call(script):
            text = self._library.nft_ctx_get_error_buffer(self._context)
            raise OSError(errno.EINVAL, text.decode(errors="replace").strip(), purpose)

    def find(self, command: str) -> list[dict[str, Any]] | None:
        """Run a ``list`` command and return the objects it prints, or None when it fails: the object does not exist.

        The library reports a missing object and a kernel without nf_tables alike. The script that makes the object
        tells the two apart.
        """
        if self._call(command):
            self._library.nft_ctx_get_error_buffer(self._context)
            return None
        output = self._library.nft_ctx_get_output_buffer(self._context)
        objects: list[dict[str, Any]] = json.loads(output)["nftables"]
        return [item for item in objects if "metainfo" not in item]

    def _call(self, script: str) -> int:
        return int(self._library.nft_run_cmd_from_buffer(self._context, script.encode()))
