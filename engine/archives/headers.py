"""Fields of tar headers: numbers, text and the records of extended (PAX) headers.

Formats: POSIX.1-2001 pax(1) "ustar Interchange Format", GNU tar manual "Basic Tar Format".
"""

from __future__ import annotations

import os
import re
import struct

from engine.errors import InvalidArgument

BLOCK = 512
HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")
_CHECKSUM = slice(148, 156)
_LIMIT = 1 << 63
_TIME = re.compile(rb"(-?)(\d{1,19})(?:\.(\d*))?")


def invalid_header() -> InvalidArgument:
    return InvalidArgument("archive/tar: invalid tar header")


def number(field: bytes) -> int:
    """An octal field, or GNU's base-256 form when the first bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=True) if field[0] == 0xFF else _base_256(field)
        if not -_LIMIT <= value < _LIMIT:
            raise invalid_header()
        return value
    digits = field.partition(b"\0")[0].strip(b" ")
    try:
        # int() would also take signs and underscores.
        return int(digits, 8) if digits.isdigit() else _empty(digits)
    except ValueError:
        raise invalid_header() from None


def _base_256(field: bytes) -> int:
    return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")


def _empty(digits: bytes) -> int:
    if digits:
        raise invalid_header()
    return 0


def text(field: bytes) -> str:
    """A name, up to its first NUL; bytes that are not UTF-8 survive the round trip (PEP 383)."""
    return os.fsdecode(field.partition(b"\0")[0])


def check_sum(block: bytes) -> None:
    """Compare a header with its checksum; old writers summed signed bytes."""
    stored = number(block[_CHECKSUM])
    body = block[:148] + b" " * 8 + block[156:]
    if stored != sum(body) and stored != sum(byte - 256 if byte > 127 else byte for byte in body):
        raise invalid_header()


def pax_records(data: bytes) -> dict[str, bytes]:
    """The records ``"<length> <key>=<value>\\n"`` of an extended header; the last of equal keys wins."""
    records: dict[str, bytes] = {}
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        digits = data[position:space] if space > 0 else b""
        if not digits.isdigit():
            raise invalid_header()
        end = position + int(digits)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if end > len(data) or end <= space + 1 or data[end - 1 : end] != b"\n" or not equals or not key or b"\0" in key:
            raise invalid_header()
        records[os.fsdecode(key)] = value
        position = end
    return records


def pax_number(value: bytes) -> int:
    if not value.isdigit() or len(value) > 19:
        raise invalid_header()
    return int(value)


def pax_text(value: bytes) -> str:
    if b"\0" in value:
        raise invalid_header()
    return os.fsdecode(value)


def pax_time(value: bytes) -> int:
    """Decimal seconds as nanoseconds, within what the kernel's 64-bit time can hold."""
    found = _TIME.fullmatch(value)
    if not found:
        raise invalid_header()
    sign, seconds, fraction = found.groups(b"")
    nanoseconds = int(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
    return max(-_LIMIT, min(-nanoseconds if sign else nanoseconds, _LIMIT - 1))
