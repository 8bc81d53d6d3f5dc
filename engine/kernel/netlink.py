"""rtnetlink(7): links, addresses and routes.

A socket speaks for the network namespace it was opened in, whoever holds it: a worker configures a container's
namespace through a socket that was opened inside and passed on, and never changes its own namespace. Requests go out
together in one datagram, because the kernel answers them while ``send`` still runs: the cost of a container's
interface is then the encoding of its messages. pyroute2 encodes and decodes; its own sockets run an event loop that
this room does not need.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, NamedTuple, Self

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

LOOPBACK_INDEX = 1  # LOOPBACK_IFINDEX of <linux/netdevice.h>: the same in every namespace

# <linux/netlink.h>
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST = 0x1
_NLM_F_ACK = 0x4
_NLM_F_EXCL = 0x200
_NLM_F_CREATE = 0x400
_NLM_F_DUMP = 0x300
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10

# <linux/rtnetlink.h>
_RTM_NEWLINK = 16
_RTM_DELLINK = 17
_RTM_GETLINK = 18
_RTM_NEWADDR = 20
_RTM_GETADDR = 22
_RTM_NEWROUTE = 24
_RTM_GETROUTE = 26
_RT_TABLE_MAIN = 254
_RTPROT_BOOT = 3
_RTN_UNICAST = 1

# <linux/if.h>, <linux/if_link.h>
_IFF_UP = 1
_IN6_ADDR_GEN_MODE_NONE = 1

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_RECEIVE = 1 << 16


class Request(NamedTuple):
    """One message, and what it is for: the text that an error carries."""

    purpose: str
    message: Any  # a pyroute2 nlmsg


class Link(NamedTuple):
    number: int  # the interface index; a tuple has a method of that name
    up: bool


class Netlink:
    """A NETLINK_ROUTE socket. Not for use by two threads at once."""

    def __init__(self, endpoint: socket.socket) -> None:
        endpoint.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)  # errors need not repeat the request
        self._socket = endpoint
        self._sequence = 0

    @classmethod
    def open(cls) -> Self:
        """A socket of the caller's own namespace."""
        return cls(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE))

    @classmethod
    def borrow(cls, descriptor: int) -> Self:
        """A socket that somebody else owns, for instance one from inside a container; it is duplicated."""
        return cls(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE, os.dup(descriptor)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def transact(self, *requests: Request) -> list[bytes]:
        """Send all requests at once and await every acknowledgement; return the payloads of the answers.

        The kernel carries out a request also when one before it failed, so after an OSError the caller undoes them all.
        """
        first = self._sequence + 1
        self._sequence += len(requests)
        self._socket.send(b"".join(_encode(r.message, number, _NLM_F_ACK) for number, r in enumerate(requests, first)))
        answers: list[bytes] = []
        failure: OSError | None = None
        waiting = len(requests)
        while waiting:
            for kind, sequence, payload in self._receive():
                if sequence < first:
                    continue  # left over from a transaction that was given up
                if kind != _NLMSG_ERROR:
                    answers.append(payload)
                    continue
                waiting -= 1
                failure = failure or _error(payload, requests[sequence - first].purpose)
        if failure is not None:
            raise failure
        return answers

    def dump(self, request: Request) -> list[bytes]:
        """Send a request for a list and return the payload of each of its entries."""
        self._sequence += 1
        self._socket.send(_encode(request.message, self._sequence, _NLM_F_DUMP))
        entries: list[bytes] = []
        while True:
            for kind, sequence, payload in self._receive():
                if sequence != self._sequence:
                    continue
                if kind == _NLMSG_DONE:
                    return entries
                if kind == _NLMSG_ERROR:
                    raise _error(payload, request.purpose) or OSError(0, "unexpected acknowledgement", request.purpose)
                entries.append(payload)

    def _receive(self) -> Iterator[tuple[int, int, bytes]]:
        """The messages of one datagram: type, sequence number, payload."""
        datagram = self._socket.recv(_RECEIVE)
        offset = 0
        while offset < len(datagram):
            length, kind, _flags, sequence, _port = _HEADER.unpack_from(datagram, offset)
            yield kind, sequence, datagram[offset + _HEADER.size : offset + length]
            offset += (length + 3) & ~3

    def find_link(self, name: str) -> Link | None:
        """Index and state of a link, or None when there is no such link."""
        try:
            answer = self.transact(Request(f"look up {name}", _link(_RTM_GETLINK, IFLA_IFNAME=name)))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        _family, _kind, index, flags, _change = _LINK.unpack_from(answer[0])
        return Link(index, bool(flags & _IFF_UP))

    def remove_link(self, name: str) -> None:
        """Delete a link; none is fine."""
        try:
            self.transact(Request(f"delete link {name}", _link(_RTM_DELLINK, IFLA_IFNAME=name)))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def addresses(self, index: int) -> list[IPv4Interface]:
        """IPv4 addresses of one link."""
        message = ifaddrmsg()
        message["header"] = {"type": _RTM_GETADDR}
        message["family"] = socket.AF_INET
        found = (_decode(ifaddrmsg, _RTM_GETADDR, p) for p in self.dump(Request("list addresses", message)))
        return [
            IPv4Interface(f"{address.get_attr('IFA_LOCAL') or address.get_attr('IFA_ADDRESS')}/{address['prefixlen']}")
            for address in found
            if address["index"] == index
        ]

    def routes(self) -> list[IPv4Network]:
        """Destinations of the IPv4 routes of all tables, without default routes."""
        message = rtmsg()
        message["header"] = {"type": _RTM_GETROUTE}
        message["family"] = socket.AF_INET
        found = (_decode(rtmsg, _RTM_GETROUTE, payload) for payload in self.dump(Request("list routes", message)))
        return [
            IPv4Network(f"{route.get_attr('RTA_DST')}/{route['dst_len']}", strict=False)
            for route in found
            if route["dst_len"]
        ]


def new_bridge(name: str, mac: str, mtu: int) -> Request:
    """Make a bridge that forwards at once (no spanning tree, no forward delay), with a fixed MAC address.

    Without an address of its own a bridge takes the lowest of its ports, so the gateway's address would change
    whenever a container comes or goes.
    """
    data = {"attrs": [("IFLA_BR_FORWARD_DELAY", 0), ("IFLA_BR_STP_STATE", 0)]}
    message = _link(
        _RTM_NEWLINK,
        _NLM_F_CREATE | _NLM_F_EXCL,
        IFLA_IFNAME=name,
        IFLA_ADDRESS=mac,
        IFLA_MTU=mtu,
        IFLA_LINKINFO={"attrs": [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", data)]},
    )
    return Request(f"create bridge {name}", message)


def new_veth(name: str, bridge: int, mtu: int, peer: str, peer_mac: str, peer_namespace: int) -> Request:
    """Make a veth pair: one end is a port of ``bridge``, the other is born inside the namespace of a descriptor."""
    inside = [
        ("IFLA_IFNAME", peer),
        ("IFLA_ADDRESS", peer_mac),
        ("IFLA_MTU", mtu),
        ("IFLA_NET_NS_FD", peer_namespace),
    ]
    data = {"attrs": [("VETH_INFO_PEER", {"attrs": inside})]}
    message = _link(
        _RTM_NEWLINK,
        _NLM_F_CREATE | _NLM_F_EXCL,
        IFLA_IFNAME=name,
        IFLA_MTU=mtu,
        IFLA_MASTER=bridge,
        IFLA_LINKINFO={"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", data)]},
    )
    return Request(f"create veth {name}", message)


def hairpin_up(name: str) -> Request:
    """Let a bridge port send frames back where they came from, and bring it up.

    A container that calls its own published port needs this where br_netfilter is loaded: the address is then
    translated inside the bridge, and source and destination are one port.
    """
    slave = {"attrs": [("IFLA_BRPORT_MODE", 1)]}
    info = {"attrs": [("IFLA_INFO_SLAVE_KIND", "bridge"), ("IFLA_INFO_SLAVE_DATA", slave)]}
    return Request(f"bring up port {name}", _link(_RTM_NEWLINK, up=True, IFLA_IFNAME=name, IFLA_LINKINFO=info))


def set_up(index: int) -> Request:
    return Request(f"bring up link {index}", _link(_RTM_NEWLINK, index=index, up=True))


def without_ipv6(index: int) -> Request:
    """Let the link make no IPv6 address when it comes up: on an IPv4-only network it would lead nowhere."""
    spec = {"attrs": [("AF_INET6", {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", _IN6_ADDR_GEN_MODE_NONE)]})]}
    return Request(f"disable IPv6 addresses of link {index}", _link(_RTM_NEWLINK, index=index, IFLA_AF_SPEC=spec))


def add_address(index: int, address: IPv4Interface) -> Request:
    message = ifaddrmsg()
    message["header"] = {"type": _RTM_NEWADDR, "flags": _NLM_F_CREATE | _NLM_F_EXCL}
    message["family"] = socket.AF_INET
    message["prefixlen"] = address.network.prefixlen
    message["index"] = index
    message["attrs"] = [
        ("IFA_LOCAL", str(address.ip)),
        ("IFA_ADDRESS", str(address.ip)),
        ("IFA_BROADCAST", str(address.network.broadcast_address)),
    ]
    return Request(f"add address {address}", message)


def add_default_route(gateway: IPv4Address) -> Request:
    message = rtmsg()
    message["header"] = {"type": _RTM_NEWROUTE, "flags": _NLM_F_CREATE | _NLM_F_EXCL}
    message["family"] = socket.AF_INET
    message["table"] = _RT_TABLE_MAIN
    message["proto"] = _RTPROT_BOOT
    message["type"] = _RTN_UNICAST
    message["attrs"] = [("RTA_GATEWAY", str(gateway))]
    return Request(f"add default route through {gateway}", message)


def _link(kind: int, flags: int = 0, index: int = 0, up: bool = False, **attributes: Any) -> Any:
    message = ifinfmsg()
    message["header"] = {"type": kind, "flags": flags}
    message["index"] = index
    message["flags"] = message["change"] = _IFF_UP if up else 0
    message["attrs"] = list(attributes.items())
    return message


def _encode(message: Any, sequence: int, flags: int) -> bytes:
    header = message["header"]
    header["sequence_number"] = sequence
    header["flags"] = header.get("flags", 0) | _NLM_F_REQUEST | flags
    message.encode()
    return bytes(message.data)


def _decode(kind: type[Any], message_type: int, payload: bytes) -> Any:
    header = _HEADER.pack(_HEADER.size + len(payload), message_type, 0, 0, 0)
    message = kind(header + payload)
    message.decode()
    return message


def _error(payload: bytes, purpose: str) -> OSError | None:
    """The error in an NLMSG_ERROR message; None for an acknowledgement, whose number is 0."""
    number = -int.from_bytes(payload[:4], "little", signed=True)
    return OSError(number, os.strerror(number), purpose) if number else None
