"""Errors of the engine and of everything above it.

    MuelleError
    ├── InvalidArgument    400  the request is wrong and will stay wrong
    ├── Unauthorized       401  nobody is signed in
    ├── Forbidden          403  signed in, or in order, but not allowed
    ├── NotFound           404  the named object does not exist
    ├── Conflict           409  the object's present state does not allow it
    ├── SystemFailure      500  the kernel or a helper program failed
    ├── Unsupported        501  named by the API, not built
    └── Unavailable        503  a process or a host that is needed does not answer

Messages are shown to users word for word, so where Docker has a text for a case it is Docker's text. An error crosses
process borders (shim to worker, worker to web) as the JSON object ``{"kind": class name, "message": text}``.
"""

from __future__ import annotations

from typing import ClassVar


class MuelleError(Exception):
    """Base of all errors; ``status`` is the HTTP status that the API answers."""

    status: ClassVar[int] = 500

    @property
    def message(self) -> str:
        return str(self)

    def __str__(self) -> str:
        """Bytes of file names that are no text (PEP 383) become U+FFFD, as in Go: no JSON takes them."""
        return super().__str__().encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def to_json(self) -> dict[str, str]:
        """As it crosses a process border; a class of a single module travels as the class of the tree it belongs to."""
        kind = next(base.__name__ for base in type(self).__mro__ if base in _TRAVELLERS)
        return {"kind": kind, "message": str(self)}

    @staticmethod
    def from_json(value: dict[str, str]) -> MuelleError:
        """Rebuild an error that came over a process border; an unknown kind becomes SystemFailure."""
        return KINDS.get(value.get("kind", ""), SystemFailure)(value.get("message", ""))


class InvalidArgument(MuelleError):
    status = 400


class Unauthorized(MuelleError):
    status = 401


class Forbidden(MuelleError):
    status = 403


class NotFound(MuelleError):
    status = 404


class Conflict(MuelleError):
    status = 409


class SystemFailure(MuelleError):
    status = 500


class Unsupported(MuelleError):
    status = 501


class Unavailable(MuelleError):
    status = 503


KINDS: dict[str, type[MuelleError]] = {
    kind.__name__: kind
    for kind in (
        InvalidArgument,
        Unauthorized,
        Forbidden,
        NotFound,
        Conflict,
        SystemFailure,
        Unsupported,
        Unavailable,
    )
}
_TRAVELLERS = (*KINDS.values(), MuelleError)
