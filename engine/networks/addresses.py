"""Which subnet a network gets, and which address and MAC a container. Pure: the caller knows what is in use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import chain

from engine.errors import InvalidArgument, SystemFailure

_MAC_PREFIX = "02:42"  # locally administered; Docker's, so that tools which know it see a container


def pools() -> Iterator[IPv4Network]:
    """Docker's default pools in its order: 172.17 to 172.31 as /16, then 192.168 in /20."""
    for second in range(17, 32):
        yield IPv4Network(f"172.{second}.0.0/16")
    yield from IPv4Network("192.168.0.0/16").subnets(new_prefix=20)


def pick_subnet(avoid: Iterable[IPv4Network]) -> IPv4Network:
    """The first pool that overlaps none of ``avoid``: the host's routes, its name servers, other networks."""
    taken = list(avoid)
    for pool in pools():
        if not any(pool.overlaps(network) for network in taken):
            return pool
    raise InvalidArgument("all predefined address pools have been fully subnetted")


def gateway(subnet: IPv4Network) -> IPv4Interface:
    """The bridge's own address: the first of the subnet, with the subnet's prefix length."""
    return IPv4Interface(f"{subnet[1]}/{subnet.prefixlen}")


def allocate(subnet: IPv4Network, used: Collection[str], last: str | None = None) -> str:
    """The next address after ``last`` that is not in ``used``, from the start again when the end is reached.

    The network's own, the gateway's and the broadcast address are never given out. With ``last`` a freed address comes
    back late, so that a client which still knows its former owner does not talk to a stranger.
    """
    first, final = int(subnet[2]), int(subnet.broadcast_address) - 1
    start = int(IPv4Address(last)) + 1 if last else first
    if not first <= start <= final:
        start = first
    for number in chain(range(start, final + 1), range(first, start)):
        address = str(IPv4Address(number))
        if address not in used:
            return address
    raise SystemFailure("no available IPv4 addresses on this network's address pools")


def mac(address: str) -> str:
    """The MAC address that belongs to an IPv4 address; a reused address so keeps its neighbours' ARP entries valid."""
    return ":".join((_MAC_PREFIX, *(f"{byte:02x}" for byte in IPv4Address(address).packed)))
