"""What the flags of run mean on the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from frontend.cli.commands._common import Raw
from frontend.cli.errors import CliError
from frontend.cli.flags import container, mounts, ports
from frontend.cli.flags.environment import read_environment
from frontend.cli.flags.options import container_options


def body(*arguments: str) -> dict[str, Any]:
    """The body for a command line after ``run``."""
    found: dict[str, Any] = {}

    @click.command(cls=Raw)
    @container_options
    @click.argument("image")
    @click.argument("command", nargs=-1, type=click.UNPROCESSED)
    def command(image: str, command: tuple[str, ...], **flags: Any) -> None:
        found.update(container.body(flags, image, command))

    result = CliRunner().invoke(command, arguments)
    if result.exception:
        raise result.exception
    return found


def test_everything_after_the_image_is_the_command() -> None:
    found = body("-e", "A=1", "img", "sh", "-c", "x", "--rm")
    assert (found["Image"], found["Cmd"], found["Env"]) == ("img", ["sh", "-c", "x", "--rm"], ["A=1"])


def test_streams() -> None:
    found = body("-it", "img")
    assert [found[k] for k in ("Tty", "OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout")] == [True] * 5
    found = body("-a", "stderr", "img")
    assert [found[k] for k in ("AttachStdin", "AttachStdout", "AttachStderr")] == [False, False, True]


def test_limits() -> None:
    host = body(
        "-m", "64m", "--memory-swap", "-1", "--cpus", "1.5", "--pids-limit", "9", "--ulimit", "nofile=1:2", "img"
    )["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (64 << 20, -1, 1_500_000_000, 9)
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 1, "Hard": 2}]


def test_network_flags_speak_of_the_first_network() -> None:
    found = body("--network", "name=a,alias=x", "--network", "b", "--ip", "10.0.0.9", "img")
    assert found["HostConfig"]["NetworkMode"] == "a"
    endpoints = found["NetworkingConfig"]["EndpointsConfig"]
    assert endpoints["a"] == {"Aliases": ["x"], "IPAMConfig": {"IPv4Address": "10.0.0.9"}}
    assert endpoints["b"] == {"Aliases": None, "IPAMConfig": None}


def test_health() -> None:
    found = body("--health-cmd", "true", "--health-interval", "2s", "--health-retries", "3", "img")["Healthcheck"]
    assert found == {"Test": ["CMD-SHELL", "true"], "Interval": 2 * 10**9, "Retries": 3}
    assert body("--no-healthcheck", "img")["Healthcheck"] == {"Test": ["NONE"]}


def test_a_seccomp_profile_is_sent_as_its_content(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text('{ "defaultAction": "SCMP_ACT_ALLOW" }')
    host = body("--security-opt", f"seccomp={profile}", "--security-opt", "seccomp=unconfined", "img")["HostConfig"]
    assert host["SecurityOpt"] == ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}', "seccomp=unconfined"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--rm", "--restart", "always", "i"), "cannot specify both --restart and --rm"),
        (("-a", "x", "i"), "valid streams are STDIN, STDOUT and STDERR"),
        (("--restart", "on-failure:x", "i"), "maximum retry count must be an integer"),
        (("--ulimit", "nofile", "i"), "invalid ulimit argument"),
        (("--cpus", "x", "i"), "as a rational number"),
        (("--env-file", "/nonexistent", "i"), "open /nonexistent: no such file or directory"),
        (("--device", "/dev/a:/b:xyz", "i"), "invalid device specification"),
    ],
)
def test_contradictions_and_nonsense_are_refused(arguments: tuple[str, ...], text: str) -> None:
    with pytest.raises(CliError, match=text) as caught:
        body(*arguments)
    assert caught.value.status == 125


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", {"80/tcp": [("", "")]}),
        ("8080:80", {"80/tcp": [("", "8080")]}),
        ("127.0.0.1:8080:80/udp", {"80/udp": [("127.0.0.1", "8080")]}),
        ("127.0.0.1::80", {"80/tcp": [("127.0.0.1", "")]}),
        ("[::1]:8080:80", {"80/tcp": [("::1", "8080")]}),
        ("8000-8001:80-81", {"80/tcp": [("", "8000")], "81/tcp": [("", "8001")]}),
        ("8000-8010:80", {"80/tcp": [("", "8000-8010")]}),
        ("target=80,published=8080,protocol=udp", {"80/udp": [("", "8080")]}),
    ],
)
def test_published_ports(text: str, expected: dict[str, list[tuple[str, str]]]) -> None:
    found = ports.publish([text])
    assert {key: [(each["HostIp"], each["HostPort"]) for each in value] for key, value in found.items()} == expected


@pytest.mark.parametrize("text", ["x", "80:x", "80-70", "70000", "1-2:1-3", "80/foo", "published=1", ":"])
def test_bad_ports_are_refused(text: str) -> None:
    with pytest.raises(CliError):
        ports.publish([text])


@given(st.text("0123456789.:-/[]tcpud=,", max_size=20))
def test_ports_raise_nothing_else(text: str) -> None:
    try:
        ports.publish([text])
    except CliError:
        return


def test_volumes() -> None:
    assert mounts.volumes(["/a:/b:ro", "name:/c", "/anonymous"]) == (["/a:/b:ro", "name:/c"], {"/anonymous": {}})
    assert mounts.volumes(["./x:/b"])[0] == [f"{Path.cwd()}/x:/b"]
    assert mounts.tmpfs(["/run", "/tmp:size=1m,mode=700"]) == {"/run": "", "/tmp": "size=1m,mode=700"}
    assert mounts.device("/dev/null:r") == {
        "PathOnHost": "/dev/null",
        "PathInContainer": "/dev/null",
        "CgroupPermissions": "r",
    }


def test_mounts() -> None:
    found = mounts.mount("type=volume,src=v,dst=/d,readonly,volume-nocopy=true,volume-opt=a=b=c,volume-label=l")
    assert found == {
        "Type": "volume",
        "Source": "v",
        "Target": "/d",
        "ReadOnly": True,
        "VolumeOptions": {"NoCopy": True, "DriverConfig": {"Options": {"a": "b=c"}}, "Labels": {"l": ""}},
    }
    assert mounts.mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700")["TmpfsOptions"] == {
        "SizeBytes": 1 << 20,
        "Mode": 0o700,
    }
    for text in ("type=bind", "target=/a,nope=1", "target", "target=/a,tmpfs-mode=9", "target=/a,ro=maybe"):
        with pytest.raises(CliError, match="--mount"):
            mounts.mount(text)


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "env"
    file.write_text("# comment\n\n  A=1 \nB\nHAVE\n")
    monkeypatch.setenv("HAVE", "it")
    monkeypatch.delenv("B", raising=False)
    assert read_environment([str(file)], ["C=2", "HAVE"]) == ["A=1 ", "HAVE=it", "C=2", "HAVE=it"]
    with pytest.raises(CliError, match="invalid environment variable: =x"):
        read_environment([], ["=x"])
