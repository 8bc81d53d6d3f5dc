"""Maps of sparse members: GNU's old header form and the PAX forms 0.1 and 1.0 (GNU tar manual, "Sparse Formats").

A map is a list of ``(offset, length)``: where the stored bytes belong. Form 0.0 (GNU tar 1.14 only) is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.archives.headers import BLOCK, invalid_header, number, pax_number

SparseMap = list[tuple[int, int]]
_MAX_PARTS = 1 << 20


def old_form(block: bytes, next_block: Callable[[], bytes]) -> tuple[SparseMap, int]:
    """Four parts stand in the header and 21 in each block that follows it; returns the map and the real size."""
    real_size = number(block[483:495])
    parts, extended = _parts(block, 386, 4), block[482]
    while extended:
        block = next_block()
        parts += _parts(block, 0, 21)
        extended = block[504]
        if len(parts) > _MAX_PARTS:
            raise invalid_header()
    return parts, real_size


def _parts(block: bytes, start: int, count: int) -> SparseMap:
    fields = [block[at : at + 24] for at in range(start, start + 24 * count, 24)]
    return [(number(each[:12]), number(each[12:])) for each in fields if each[0]]


def pax_form(records: Mapping[str, bytes], read: Callable[[int], bytes]) -> tuple[SparseMap, int]:
    """``read`` gives stored bytes of the member: form 1.0 begins its data with the map, in whole blocks."""
    if "GNU.sparse.map" in records:
        numbers = [pax_number(each) for each in records["GNU.sparse.map"].split(b",") if each]
        return _pairs(numbers), pax_number(records.get("GNU.sparse.size", b""))
    if records.get("GNU.sparse.major") != b"1" or records.get("GNU.sparse.minor") != b"0":
        raise invalid_header()
    return _pairs(_leading_map(read)), pax_number(records.get("GNU.sparse.realsize", b""))


def _leading_map(read: Callable[[int], bytes]) -> list[int]:
    """A count and then two numbers for each part, one on a line, padded to a whole block."""
    numbers: list[int] = []
    wanted, rest = None, b""
    while wanted is None or len(numbers) < wanted:
        block = read(BLOCK)
        if len(block) < BLOCK or len(rest) > BLOCK:
            raise invalid_header()
        *lines, rest = (rest + block).split(b"\n")
        if wanted is None and lines:
            wanted = 2 * pax_number(lines.pop(0))
            if wanted > 2 * _MAX_PARTS:
                raise invalid_header()
        # The rest of the last block is no part of the map.
        numbers += [pax_number(line) for line in lines[: (wanted or 0) - len(numbers)]]
    return numbers


def _pairs(numbers: list[int]) -> SparseMap:
    if len(numbers) % 2:
        raise invalid_header()
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def check(parts: SparseMap, real_size: int, stored: int) -> None:
    """Parts ascend, do not overlap, lie inside the file and use exactly the stored bytes."""
    position = total = 0
    for offset, length in parts:
        if offset < position or length < 0:
            raise invalid_header()
        position, total = offset + length, total + length
    if position > real_size or total != stored or real_size >= 1 << 63:
        raise invalid_header()
