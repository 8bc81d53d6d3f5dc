"""Published ports: which host port leads to which container.

The kernel's map is the register of what is taken, so a decision holds across all workers and outlives each of them;
it is made under the installation's network lock. Ports of ordinary programs, and of other engines that listen on what
they publish, are found by binding a socket for a moment. The socket is not kept: nothing of ours lives exactly as
long as a container and may listen for it. A program that starts later on a published port therefore starts, and is
reached on none of the published addresses while the container runs.
"""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.errors import InvalidArgument, SystemFailure, Unsupported
from engine.kernel import conntrack
from engine.kernel.nftables import Nftables
from engine.networks import firewall
from engine.networks.firewall import Published
from engine.networks.state import exclusive, reported

if TYPE_CHECKING:
    from engine.layout import Layout

EVERY_ADDRESS = "0.0.0.0"

_LOCAL_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_SOCKETS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
_UNKNOWN = frozenset({errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT})


class PortMapping(NamedTuple):
    """One wish, or one published port. ``host_ip`` empty means every address; ``host_port`` 0 means any free port.

    With ``host_port_end`` the wish is any port from ``host_port`` up to it.
    """

    protocol: str
    host_ip: str
    host_port: int
    container_port: int
    host_port_end: int = 0


def publish(
    layout: Layout, container_ip: str, mappings: Sequence[PortMapping], endpoint: str = ""
) -> list[PortMapping]:
    """Publish all ports or none; return the mappings with the host's address and port filled in.

    ``endpoint`` is ``name (endpoint ID)`` for Docker's error text. SystemFailure when a port is taken, as Docker
    answers.
    """
    with reported(), exclusive(layout), Nftables() as nft, ExitStack() as held:
        taken = firewall.published(nft, layout.firewall_table)
        for table in firewall.other_tables(layout, nft):
            taken.extend(firewall.published(nft, table))
        chosen: list[Published] = []
        for mapping in mappings:
            chosen.append(_choose(container_ip, mapping, [*taken, *chosen], held, endpoint))
        _change(layout, nft, "add", chosen)
    return [_mapping(each) for each in chosen]


def published(layout: Layout, container_ip: str) -> list[PortMapping]:
    """What leads to an address, as ``publish`` returned it: for a caller that died before it wrote that down."""
    with reported(), Nftables() as nft:
        found = firewall.published(nft, layout.firewall_table)
    return [_mapping(each) for each in found if each.container_ip == container_ip]


def unpublish(layout: Layout, container_ip: str) -> None:
    """Take away everything that leads to an address; nothing is fine."""
    with reported(), exclusive(layout), Nftables() as nft:
        present = firewall.published(nft, layout.firewall_table)
        _change(layout, nft, "delete", [entry for entry in present if entry.container_ip == container_ip])


def restore(layout: Layout, publications: Mapping[str, Iterable[PortMapping]]) -> None:
    """Publish what is missing, after a reboot or a flushed firewall, and take away what leads to no container.

    ``publications`` has an entry for every address that is given out. What leads to one of them stays, listed or not:
    it may have been published for a start that is under way.
    """
    wanted = {_published(ip, mapping) for ip, mappings in publications.items() for mapping in mappings}
    with reported(), exclusive(layout), Nftables() as nft:
        present = set(firewall.published(nft, layout.firewall_table))
        _change(layout, nft, "delete", sorted(each for each in present if each.container_ip not in publications))
        _change(layout, nft, "add", sorted(wanted - present))


def _change(layout: Layout, nft: Nftables, verb: str, entries: Sequence[Published]) -> None:
    """Add or delete elements in one transaction, and forget the UDP flows that followed the former state.

    A flow keeps the translation of its first packet as long as packets come, so a client that goes on sending would
    never reach the new container, or go on to the address of the old one.
    """
    lines = [
        f"{verb} element ip {layout.firewall_table} {entry.map} {{ {entry.element if verb == 'add' else entry.key} }}"
        for entry in entries
    ]
    if lines:
        nft.run(f"{verb} published ports", "\n".join(lines))
    for port in {entry.host_port for entry in entries if entry.protocol == "udp"}:
        conntrack.forget_udp(port)


def _choose(
    container_ip: str, mapping: PortMapping, taken: Sequence[Published], held: ExitStack, endpoint: str
) -> Published:
    """The first port of the wish that is free; its probe stays bound in ``held`` until the maps have changed."""
    wish = _published(container_ip, mapping)
    reason = ""
    for port in _candidates(mapping):
        candidate = wish._replace(host_port=port)
        reason = _taken(candidate, taken) or _probe(candidate, held)
        if not reason:
            return candidate
    raise SystemFailure(
        "failed to set up container networking: driver failed programming external connectivity on endpoint "
        f"{endpoint}: {reason}"
    )


def _candidates(mapping: PortMapping) -> Iterator[int]:
    if mapping.host_port:
        yield from range(mapping.host_port, max(mapping.host_port, mapping.host_port_end) + 1)
        return
    first, last = map(int, _LOCAL_PORT_RANGE.read_text().split())
    start = random.randint(first, last)  # a port that was just given up comes back late
    yield from chain(range(start, last + 1), range(first, start))


def _taken(candidate: Published, taken: Iterable[Published]) -> str:
    """Docker's text when another container has the port, on this address or with either of them on all."""
    for other in taken:
        same_port = (other.protocol, other.host_port) == (candidate.protocol, candidate.host_port)
        if same_port and (other.host_ip == candidate.host_ip or not other.host_ip or not candidate.host_ip):
            address = candidate.host_ip or EVERY_ADDRESS
            return f"Bind for {address}:{candidate.host_port} failed: port is already allocated"
    return ""


def _probe(candidate: Published, held: ExitStack) -> str:
    """Bind the port as a server would; the text of the failure when somebody else has it or the address is not ours."""
    kind, protocol = _SOCKETS[candidate.protocol]
    try:
        probe = socket.socket(socket.AF_INET, kind, protocol)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return ""  # a kernel without SCTP has no program that could hold the port either
        raise
    address = candidate.host_ip or EVERY_ADDRESS
    try:
        if candidate.protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT hold no port
        probe.bind((address, candidate.host_port))
        if candidate.protocol == "tcp":
            probe.listen()
    except OSError as error:
        probe.close()
        target = f"{candidate.container_ip}:{candidate.container_port}/{candidate.protocol}"
        reason = (error.strerror or str(error)).lower()
        return f"failed to bind host port for {address}:{candidate.host_port}:{target}: {reason}"
    held.enter_context(probe)
    return ""


def _published(container_ip: str, mapping: PortMapping) -> Published:
    if mapping.protocol not in _SOCKETS:
        raise InvalidArgument(f"invalid proto: {mapping.protocol}")
    host_ip = "" if mapping.host_ip == EVERY_ADDRESS else mapping.host_ip
    if ":" in host_ip:
        raise Unsupported(f"publishing a port on an IPv6 address is not supported: {host_ip}")
    if host_ip:
        host_ip = str(_valid(host_ip))
    return Published(host_ip, mapping.protocol, mapping.host_port, str(_valid(container_ip)), mapping.container_port)


def _mapping(entry: Published) -> PortMapping:
    return PortMapping(entry.protocol, entry.host_ip or EVERY_ADDRESS, entry.host_port, entry.container_port)


def _valid(address: str) -> IPv4Address:
    """Addresses become part of a script, so nothing else may pass."""
    try:
        return IPv4Address(address)
    except ValueError as error:
        raise InvalidArgument(f"invalid IP address: {address}") from error
