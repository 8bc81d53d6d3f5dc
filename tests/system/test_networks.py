"""Networks, published ports and the files that name hosts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_interface, ip_network

import pytest

from tests.support.docker import Docker
from tests.support.installation import free_port
from tests.system.conftest import REFERENCE
from tests.system.waiting import eventually, inspect

SERVE = ("sh", "-c", "echo hello > /index.html; exec httpd -f -p 80 -h /")


def get(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/index.html", timeout=10) as answer:
        body: bytes = answer.read()
    return body


@contextmanager
def echoing(pid: int) -> Iterator[None]:
    """A UDP server on port 53 in a container's network; busybox has none."""
    script = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 53)); print(flush=True)"
    script += "\nwhile True: s.sendto(*s.recvfrom(100))"
    words = ["nsenter", "-t", str(pid), "-n", sys.executable, "-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        yield
        server.kill()


def forwarding_is_dropped() -> bool:
    """dockerd leaves this behind on its host; where bridged packets pass the firewall it separates containers too."""
    listing = subprocess.run(["nft", "list", "chains"], capture_output=True, text=True, check=True)
    return any("hook forward" in line and "policy drop" in line for line in listing.stdout.splitlines())


def address(docker: Docker, name: str) -> str:
    return docker("inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", name)


def published_port(docker: Docker, name: str, port: str = "80") -> int:
    return int(docker("port", name, port).splitlines()[0].rpartition(":")[2])


def test_the_default_bridge(docker: Docker, sleeper: str) -> None:
    found = inspect(docker, sleeper)["NetworkSettings"]
    network = found["Networks"]["bridge"]
    mine = ip_interface(f"{network['IPAddress']}/{network['IPPrefixLen']}")
    lines = docker("exec", sleeper, "ip", "-4", "-o", "addr", "show", "eth0")
    assert str(mine) in lines
    assert f"default via {network['Gateway']} dev eth0" in docker("exec", sleeper, "ip", "route")
    assert docker("exec", sleeper, "cat", "/sys/class/net/eth0/address") == network["MacAddress"]
    assert len(network["EndpointID"]) == 64
    (pool,) = json.loads(docker("network", "inspect", "bridge"))[0]["IPAM"]["Config"]
    assert mine.ip in ip_network(pool["Subnet"])


def test_containers_of_a_network_are_listed(docker: Docker, sleeper: str) -> None:
    (network,) = json.loads(docker("network", "inspect", "bridge"))
    entry = network["Containers"][inspect(docker, sleeper)["Id"]]
    assert (entry["Name"], entry["IPv4Address"].split("/")[0]) == (sleeper, address(docker, sleeper))


def test_a_published_port(docker: Docker, image: str) -> None:
    port = free_port()
    docker("run", "-d", "--name", "web", "-p", f"{port}:80", image, *SERVE)
    eventually(lambda: "httpd" in docker("top", "web"))
    assert get(port) == b"hello\n"
    assert docker("port", "web").splitlines()[0] == f"80/tcp -> 0.0.0.0:{port}"
    binding = inspect(docker, "web")["NetworkSettings"]["Ports"]["80/tcp"][0]
    assert binding == {"HostIp": "0.0.0.0", "HostPort": str(port)}
    docker("kill", "web")
    with pytest.raises(OSError, match="refused"):
        get(port)


def test_a_random_port_is_known_when_start_returns_and_new_at_every_start(docker: Docker, image: str) -> None:
    docker("run", "-d", "--name", "web", "-p", "127.0.0.1::80", image, *SERVE)
    port = published_port(docker, "web")
    eventually(lambda: "httpd" in docker("top", "web"))
    assert get(port) == b"hello\n"
    docker("restart", "-t", "0", "web")
    eventually(lambda: "httpd" in docker("top", "web"))
    assert get(published_port(docker, "web")) == b"hello\n"


def test_all_exposed_ports(docker: Docker, image: str) -> None:
    docker("run", "-d", "--name", "web", "-P", "--expose", "80", "--expose", "53/udp", image, *SERVE)
    assert {line.split()[0] for line in docker("port", "web").splitlines()} == {"80/tcp", "53/udp"}


def test_udp(docker: Docker, image: str) -> None:
    port = free_port()
    docker("run", "-d", "--name", "echo", "-p", f"{port}:53/udp", image, "sleep", "1000")
    with echoing(inspect(docker, "echo")["State"]["Pid"]), socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", port))
        client.send(b"ping")
        assert client.recv(16) == b"ping"


def test_between_containers(docker: Docker, image: str) -> None:
    if forwarding_is_dropped() and REFERENCE not in os.environ:
        pytest.skip("another program's firewall drops what the host forwards")
    port = free_port()
    docker("run", "-d", "--name", "web", "-p", f"{port}:80", image, *SERVE)
    eventually(lambda: "httpd" in docker("top", "web"))
    gateway = docker("inspect", "-f", "{{.NetworkSettings.Networks.bridge.Gateway}}", "web")
    for url in (f"http://{address(docker, 'web')}/index.html", f"http://{gateway}:{port}/index.html"):
        assert docker("run", "--rm", image, "wget", "-qO-", url) == "hello"
        assert docker("exec", "web", "wget", "-qO-", url) == "hello"


def test_a_port_in_use_by_a_container(docker: Docker, image: str) -> None:
    port = free_port()
    docker("run", "-d", "--name", "first", "-p", f"{port}:80", image, "sleep", "1000")
    result = docker.run("run", "-d", "--name", "second", "-p", f"{port}:80", image, "sleep", "1000")
    assert result.returncode == 125
    assert f"Bind for 0.0.0.0:{port} failed: port is already allocated".encode() in result.stderr
    assert inspect(docker, "second")["State"]["Status"] == "created"
    docker("rm", "-f", "first")
    docker("start", "second")


def test_a_port_in_use_by_a_program(docker: Docker, image: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        result = docker.run("run", "-d", "-p", f"{port}:80", image, "sleep", "1000")
    assert result.returncode == 125
    assert b"address already in use" in result.stderr


def test_host_network(docker: Docker, image: str) -> None:
    port = free_port()
    docker(
        "run", "-d", "--name", "web", "--network", "host", image, "httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", "/etc"
    )
    eventually(lambda: "httpd" in docker("top", "web"))
    assert docker("exec", "web", "hostname") == socket.gethostname()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/group", timeout=10) as answer:
        assert answer.read().startswith(b"root:")


def test_no_network(docker: Docker, image: str) -> None:
    output = docker(
        "run", "--rm", "--network", "none", image, "sh", "-c", "ls /sys/class/net; cat /proc/net/route | wc -l"
    )
    assert output.split() == ["lo", "1"]


def test_another_containers_network(docker: Docker, image: str) -> None:
    docker("run", "-d", "--name", "web", image, *SERVE)
    eventually(lambda: "httpd" in docker("top", "web"))
    words = ("--network", "container:web", image, "wget", "-qO-", "http://127.0.0.1/index.html")
    assert docker("run", "--rm", *words) == "hello"
    docker("kill", "web")
    result = docker.run("run", "--rm", *words)
    assert result.returncode == 125
    assert b"cannot join network of a non running container" in result.stderr.replace(b"namespace ", b"")


def test_unknown_network(docker: Docker, image: str) -> None:
    result = docker.run("run", "--rm", "--network", "nowhere", image, "true")
    assert result.returncode == 125
    assert b"network nowhere not found" in result.stderr


def test_hosts_file(docker: Docker, image: str) -> None:
    words = ("-h", "box", "--domainname", "example.org", "--add-host", "db:10.9.8.7", "--add-host", "gate:host-gateway")
    identity = docker("run", "-d", *words, image, "sleep", "100")
    lines = [line.split() for line in docker("exec", identity, "cat", "/etc/hosts").splitlines()]
    assert lines[0] == ["127.0.0.1", "localhost"]
    assert ["10.9.8.7", "db"] in lines
    assert lines[-1] == [address(docker, identity), "box.example.org", "box"]
    assert [line[1] for line in lines].count("gate") == 1


def test_resolver_options(docker: Docker, image: str) -> None:
    words = ("--dns", "9.9.9.9", "--dns-search", "example.org", "--dns-option", "ndots:3")
    lines = docker("run", "--rm", *words, image, "cat", "/etc/resolv.conf").splitlines()
    assert {"nameserver 9.9.9.9", "search example.org", "options ndots:3"} <= set(lines)
    assert sum(line.startswith("nameserver") for line in lines) == 1


def test_the_files_can_be_written(docker: Docker, image: str) -> None:
    script = "echo 10.1.1.1 more >> /etc/hosts && tail -1 /etc/hosts"
    assert docker("run", "--rm", image, "sh", "-c", script) == "10.1.1.1 more"


def test_predefined_networks(docker: Docker) -> None:
    listed = docker("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}").splitlines()
    assert {"bridge bridge local", "host host local", "none null local"} <= set(listed)
    result = docker.run("network", "rm", "bridge")
    assert result.returncode == 1
    assert b"bridge is a pre-defined network and cannot be removed" in result.stderr


@pytest.mark.parametrize("value", ["80:90:100:110", "x:80", "80/icmp", "70000:80"])
def test_bad_ports(docker: Docker, image: str, value: str) -> None:
    assert docker.run("run", "--rm", "-p", value, image, "true").returncode == 125
