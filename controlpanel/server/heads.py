"""The head of a request, RFC 9112 sections 2 to 5: parsed by llhttp, which refuses what proxies and servers have read
in two ways (folded lines, bare line feeds, two lengths).
"""

from __future__ import annotations

from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

MAX_FIELDS = 500
ORIGIN = b"/"
SCHEMES = (b"http://", b"https://")


class BadRequest(Exception):
    """What arrived is no request. ``status`` is what its client is told."""

    status = 400


class TooLarge(BadRequest):
    """A body above the limit."""

    status = 413


class Head:
    """Request line and fields; names are in lower case."""

    __slots__ = (
        "expects_continue", "fields", "is_chunked", "keep_alive", "length", "method", "path", "query", "raw_path",
        "target", "upgrade", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.keep_alive = True
        self.length = 0
        self.is_chunked = self.expects_continue = False
        self.upgrade = b""
        self.method = self.raw_path = self.query = b""
        self.path = self.version = ""

    def on_url(self, target: bytes) -> None:
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.fields.append((name, value))
        special = SPECIAL.get(name)
        if special is not None:
            special(self, value)

    def note_length(self, value: bytes) -> None:
        self.length = int(value)

    def note_encoding(self, value: bytes) -> None:
        if value.lower() != b"chunked":
            raise BadRequest("the body's coding is not known")
        self.is_chunked = True

    def note_connection(self, value: bytes) -> None:
        if b"close" in [token.strip() for token in value.lower().split(b",")]:
            self.keep_alive = False

    def note_expectation(self, value: bytes) -> None:
        self.expects_continue = value.lower() == b"100-continue"

    def note_upgrade(self, value: bytes) -> None:
        self.upgrade = value.strip().lower()

    @property
    def has_body(self) -> bool:
        return self.is_chunked or self.length > 0

    def to_bytes(self) -> bytes:
        """The head again, for another parser."""
        lines = [b"%b %b HTTP/%b\r\n" % (self.method, self.target, self.version.encode())]
        lines += [b"%b: %b\r\n" % field for field in self.fields]
        return b"".join([*lines, b"\r\n"])


SPECIAL = {
    b"content-length": Head.note_length,
    b"transfer-encoding": Head.note_encoding,
    b"connection": Head.note_connection,
    b"expect": Head.note_expectation,
    b"upgrade": Head.note_upgrade,
}


def parse(data: bytes) -> Head:
    """``data`` is a whole head with the empty line at its end. Raises BadRequest."""
    head = Head()
    parser = HttpRequestParser(head)
    try:
        parser.feed_data(data)
    except HttpParserUpgrade:
        # Whether the application takes an upgrade up is its own choice.
        pass
    except HttpParserError as error:
        raise BadRequest(str(error)) from error
    head.method, version = parser.get_method(), parser.get_http_version()
    if version not in {"1.1", "1.0"} or len(head.fields) > MAX_FIELDS:
        raise BadRequest("neither HTTP/1.1 nor HTTP/1.0, or too many fields")
    head.version = version
    if version == "1.0":
        # An answer of unknown length ends with its connection, and whether it is one shows too late.
        head.keep_alive = head.expects_continue = False
    head.raw_path, _, head.query = _origin_form(head.target).partition(b"?")
    head.path = unquote(head.raw_path.decode("ascii"))
    return head


def _origin_form(target: bytes) -> bytes:
    """Path and query of the target; clients of a proxy, and those who take us for one, send the absolute form."""
    if target.startswith(ORIGIN) or target == b"*":
        return target
    if not target.startswith(SCHEMES):
        raise BadRequest("the target is no path")
    _, slash, rest = target.partition(b"//")[2].partition(b"/")
    return slash + rest if slash else ORIGIN
