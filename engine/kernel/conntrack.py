"""Connection tracking: flows that the kernel has decided on already (``CTNETLINK``)."""

from __future__ import annotations

import errno
import socket

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple, NFCTSocket


def forget_udp(port: int) -> None:
    """Drop the IPv4 UDP flows that were first sent to ``port``, so that their next packet is decided anew.

    The kernel does the filtering (since 5.8): a busy host tracks more flows than Python should look at.
    """
    flows = NFCTAttrTuple(proto=socket.IPPROTO_UDP, dport=port)
    try:
        with NFCTSocket() as tracking:
            for flow in list(tracking.dump(tuple_orig=flows)):
                _forget(tracking, NFCTAttrTuple.from_netlink(socket.AF_INET, flow.get_attr("CTA_TUPLE_ORIG")))
    except NetlinkError as error:
        raise OSError(error.code, "cannot drop tracked flows", f"udp port {port}") from error


def _forget(tracking: NFCTSocket, flow: NFCTAttrTuple) -> None:
    try:
        tracking.entry("del", tuple_orig=flow)
    except NetlinkError as error:
        if error.code != errno.ENOENT:  # it ended by itself
            raise
