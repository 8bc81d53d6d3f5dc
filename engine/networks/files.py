"""The texts of a container's /etc/hosts and /etc/resolv.conf, by Docker's rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from engine.errors import InvalidArgument

_HOSTS = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""

_RESOLV_CONF = Path("/etc/resolv.conf")
_SYSTEMD_STUB = "127.0.0.53"
_SYSTEMD_UPLINKS = Path("/run/systemd/resolve/resolv.conf")  # systemd-resolved.service(8)
_PUBLIC_SERVERS = ("8.8.8.8", "8.8.4.4")  # Docker's, when the host names none that a container could reach
_HOST_GATEWAY = "host-gateway"


class Resolver(NamedTuple):
    """What resolv.conf(5) says."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def text(self) -> str:
        lines = [f"nameserver {server}" for server in self.nameservers]
        if self.search:
            lines.append("search " + " ".join(self.search))
        if self.options:
            lines.append("options " + " ".join(self.options))
        return "".join(f"{line}\n" for line in lines)


def hosts(
    names: str, addresses: Iterable[str] = (), extra_hosts: Iterable[str] = (), host_gateway: str | None = None
) -> str:
    """/etc/hosts of a container with a network of its own.

    ``names`` is the host name, or ``fqdn name`` when there is a domain name (``host_names``). ``extra_hosts`` are
    Docker's ``name:address`` or ``name=address``, the address perhaps ``host-gateway``, which stands for
    ``host_gateway``.
    """
    own = (f"{address}\t{names}\n" for address in addresses)
    return _HOSTS + extra_host_lines(extra_hosts, host_gateway) + "".join(own)


def host_names(hostname: str, domainname: str) -> str:
    """The names of a container as /etc/hosts lists them."""
    return f"{hostname}.{domainname} {hostname}" if domainname else hostname


def extra_host_lines(extra_hosts: Iterable[str], host_gateway: str | None) -> str:
    """The lines of ``--add-host``; a container in the host's network gets them after the host's own file."""
    return "".join(_extra_host_line(entry, host_gateway) for entry in extra_hosts)


def parse_resolver(text: str) -> Resolver:
    """Read resolv.conf(5): unknown lines are skipped, the last search or domain line and all options count."""
    nameservers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        keyword, *values = line.split() or [""]
        if not values:
            continue
        if keyword == "nameserver":
            nameservers.append(values[0])
        elif keyword == "search":
            search = tuple(values)
        elif keyword == "domain":
            search = (values[0],)
        elif keyword == "options":
            options.extend(values)
    return Resolver(tuple(filter(_is_address, nameservers)), search, tuple(options))


def host_resolver() -> Resolver:
    """The host's resolver; behind systemd-resolved's stub it is what the stub asks."""
    resolver = _read_resolver(_RESOLV_CONF)
    if resolver.nameservers == (_SYSTEMD_STUB,):
        return _read_resolver(_SYSTEMD_UPLINKS)
    return resolver


def container_resolver(
    host: Resolver, dns: Sequence[str] = (), search: Sequence[str] = (), options: Sequence[str] = ()
) -> Resolver:
    """A container's resolver: the host's without servers that only the host can reach; given values replace the host's.

    ``--dns-search .`` stands for an empty search list.
    """
    servers = tuple(dns) or tuple(filter(_reachable, host.nameservers)) or _PUBLIC_SERVERS
    domains = tuple(domain for domain in search if domain != ".") if search else host.search
    return Resolver(servers, domains, tuple(options) or host.options)


def _extra_host_line(entry: str, host_gateway: str | None) -> str:
    separator = "=" if "=" in entry.partition(":")[0] else ":"
    name, _, address = entry.partition(separator)
    if address == _HOST_GATEWAY:
        if host_gateway is None:
            raise InvalidArgument("unable to derive the IP value for host-gateway")
        address = host_gateway
    return f"{address.strip('[]')}\t{name}\n"


def _read_resolver(path: Path) -> Resolver:
    try:
        return parse_resolver(path.read_text(errors="replace"))
    except FileNotFoundError:
        return Resolver()


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    return _address(text) is not None


def _reachable(server: str) -> bool:
    """Containers have neither the host's loopback nor IPv6."""
    address = _address(server)
    return isinstance(address, IPv4Address) and not address.is_loopback
