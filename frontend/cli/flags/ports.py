"""``-p`` and ``--expose``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from frontend.cli.errors import CliError

Bindings = dict[str, list[dict[str, str]]]

_SHORT = re.compile(r"(?:(?:\[([0-9a-fA-F:.]+)\]|([0-9.]*)):)?(?:([0-9-]*):)?([0-9-]+)(?:/(\w+))?")
_PROTOCOLS = ("tcp", "udp", "sctp")


def publish(given: Iterable[str]) -> Bindings:
    """``[address:][host port:]container port[/protocol]``, each port also as a range. Raises CliError."""
    bindings: Bindings = {}
    for text in given:
        for key, binding in _long(text) if "=" in text else _short(text):
            bindings.setdefault(key, []).append(binding)
    return bindings


def _short(text: str) -> list[tuple[str, dict[str, str]]]:
    match = _SHORT.fullmatch(text)
    if not match:
        raise CliError(f"invalid containerPort: {text}", 125)
    six, four, host, inside, protocol = match.groups()
    if four and host is None and "." not in four:  # "8080:80" has a host port, no address
        four, host = "", four
    return _pairs(text, six or four or "", host or "", inside, protocol or "tcp")


def _long(text: str) -> list[tuple[str, dict[str, str]]]:
    fields = dict(field.partition("=")[::2] for field in text.split(","))
    if "target" not in fields or set(fields) - {"target", "published", "protocol", "mode", "host_ip"}:
        raise CliError(f'invalid argument "{text}" for "-p, --publish" flag: invalid field', 125)
    return _pairs(
        text, fields.get("host_ip", ""), fields.get("published", ""), fields["target"], fields.get("protocol", "tcp")
    )


def _pairs(text: str, address: str, host: str, inside: str, protocol: str) -> list[tuple[str, dict[str, str]]]:
    if protocol.lower() not in _PROTOCOLS:
        raise CliError(f"invalid proto: {protocol}", 125)
    inner, outer = ports(inside), ports(host) if host else []
    if len(outer) > 1 and len(inner) == 1:
        # One port of the range is to be picked by the engine.
        return [(f"{inner[0]}/{protocol.lower()}", {"HostIp": address, "HostPort": host})]
    if outer and len(outer) != len(inner):
        raise CliError(f"invalid ranges specified for container and host Ports: {inside} and {host} in {text}", 125)
    return [
        (f"{port}/{protocol.lower()}", {"HostIp": address, "HostPort": str(outer[index]) if outer else ""})
        for index, port in enumerate(inner)
    ]


def ports(text: str) -> list[int]:
    """``80`` or ``80-90``. Raises CliError."""
    first, _, last = text.partition("-")
    if not re.fullmatch(r"\d{1,5}(-\d{1,5})?", text, re.ASCII) or not 0 <= int(first) <= int(last or first) <= 65535:
        raise CliError(f"invalid containerPort: {text}", 125)
    return list(range(int(first), int(last or first) + 1))


def expose(given: Iterable[str], published: Bindings) -> dict[str, Any]:
    """The set of exposed ports: those of ``--expose`` and all that are published."""
    exposed: dict[str, Any] = {key: {} for key in published}
    for text in given:
        numbers, _, protocol = text.partition("/")
        exposed |= {f"{port}/{protocol or 'tcp'}": {} for port in ports(numbers)}
    return exposed
