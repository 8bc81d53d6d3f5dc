"""Commands against an engine of canned answers: what is asked, what is shown, how it ends."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.frontend.cli.conftest import Run
from tests.frontend.cli.engine import Answer, Engine, Request

ID = "1f" * 32


def container(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "Id": ID, "Names": [f"/{name}"], "Image": "busybox", "ImageID": "sha256:x", "Labels": {"a": "b"}, "Mounts": [],
        "Command": "sh -c 'echo a long command'", "Created": int(time.time()) - 130, "State": "running",
        "Status": "Up 2 minutes", "Ports": [], "NetworkSettings": {"Networks": {"bridge": {}}}, **fields,
    }  # fmt: skip


def frame(stream: int, data: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data


def test_ps_prints_dockers_table(engine: Engine, muelle: Run) -> None:
    ports = [
        {"PrivatePort": 443, "Type": "tcp"},
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"},
        {"IP": "::", "PrivatePort": 54, "PublicPort": 54, "Type": "udp"},
    ]
    engine.answers["GET /containers/json"] = Answer(200, [container("web", Ports=ports)])
    result = muelle("ps", "-a", "-f", "status=running", "-f", "status=exited")
    shown = "[::]:53-54->53-54/udp, 443/tcp, 0.0.0.0:8080->80/tcp"
    assert result.stdout.decode() == (
        "CONTAINER ID   IMAGE     COMMAND                  CREATED         STATUS         "
        f"{'PORTS':{len(shown)}}   NAMES\n"
        f'1f1f1f1f1f1f   busybox   "sh -c \'echo a long …"   2 minutes ago   Up 2 minutes   {shown}   web\n'
    )
    query = engine.requests[0].query
    assert query["all"] == ["1"]
    assert json.loads(query["filters"][0]) == {"status": {"running": True, "exited": True}}


def test_ps_formats(engine: Engine, muelle: Run) -> None:
    engine.answers["GET /containers/json"] = Answer(200, [container("web")])
    assert muelle("ps", "-q").stdout == b"1f1f1f1f1f1f\n"
    assert muelle("ps", "--format", r"{{.Names}}\t{{.Label \"a\"}}".replace('\\"', '"')).stdout == b"web\tb\n"
    assert (
        muelle("ps", "--format", r"table {{.Names}}\t{{.ID}}").stdout
        == b"NAMES     CONTAINER ID\nweb       1f1f1f1f1f1f\n"
    )
    row = json.loads(muelle("ps", "--format", "json").stdout)
    assert (row["Names"], row["Networks"], row["State"]) == ("web", "bridge", "running")
    bad = muelle("ps", "--format", "{{.Nope}}")
    assert (bad.returncode, b'no entry for key "Nope"' in bad.stderr) == (1, True)


def test_several_names_are_worked_through_and_failures_counted(engine: Engine, muelle: Run) -> None:
    engine.answers["DELETE /containers/one"] = Answer(204)
    engine.answers["DELETE /containers/two"] = Answer(409, {"message": "cannot remove"})
    engine.answers["DELETE /containers/three"] = Answer(404, {"message": "No such container: three"})
    result = muelle("rm", "two", "three", "one")
    assert (result.returncode, result.stdout) == (1, b"one\n")
    assert result.stderr == (
        b"Error response from daemon: cannot remove\nError response from daemon: No such container: three\n"
    )
    assert muelle("rm", "-f", "three").returncode == 0


def test_inspect_looks_through_all_kinds(engine: Engine, muelle: Run) -> None:
    engine.answers["GET /volumes/data"] = Answer(200, {"Name": "data"})
    result = muelle("inspect", "data", "nothing")
    assert (result.returncode, json.loads(result.stdout)) == (1, [{"Name": "data"}])
    assert result.stderr == b"Error: No such object: nothing\n"
    assert muelle("inspect", "-f", "{{.Name}}", "data").stdout == b"data\n"


def answer_run(engine: Engine, *, status: int = 0, output: bytes = b"") -> list[bytes]:
    """Answers for a run; returns what the container was sent, filled in as it comes."""
    received: list[bytes] = []

    def attached(connection: socket.socket) -> None:
        while data := connection.recv(4096):
            received.append(data)
        connection.sendall(output)

    engine.answers |= {
        "POST /containers/create": Answer(201, {"Id": ID, "Warnings": ["be careful"]}),
        f"POST /containers/{ID}/attach": Answer(then=attached),
        f"POST /containers/{ID}/wait": Answer(200, {"StatusCode": status}),
        f"POST /containers/{ID}/start": Answer(204),
    }
    return received


def test_run_attaches_before_it_starts_and_ends_with_the_containers_status(engine: Engine, muelle: Run) -> None:
    received = answer_run(engine, status=42, output=frame(1, b"out\n") + frame(2, b"err\n"))
    result = muelle("run", "-i", "--rm", "--name", "n", "busybox", "cat", input=b"typed")
    assert (result.returncode, result.stdout, result.stderr) == (42, b"out\n", b"WARNING: be careful\nerr\n")
    assert b"".join(received) == b"typed"
    assert [path.rpartition("/")[2] for path in engine.paths()] == ["create", "attach", "wait", "start"]
    create, attach, wait, _ = engine.requests
    assert create.query == {"name": ["n"]}
    assert (create.json["Cmd"], create.json["HostConfig"]["AutoRemove"]) == (["cat"], True)
    assert attach.query == {"stream": ["1"], "stdin": ["1"], "stdout": ["1"], "stderr": ["1"]}
    assert wait.query == {"condition": ["removed"]}


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ('exec: "x": executable file not found in $PATH', 127),
        ('exec: "/etc": permission denied', 126),
        ("port is already allocated", 125),
    ],
)
def test_a_failed_start_has_its_own_status(engine: Engine, muelle: Run, reason: str, status: int) -> None:
    answer_run(engine)
    engine.answers[f"POST /containers/{ID}/start"] = Answer(400, {"message": reason})
    result = muelle("run", "busybox", "x")
    assert result.returncode == status
    assert f"muelle: Error response from daemon: {reason}\n".encode() in result.stderr


def test_a_missing_image_is_pulled_once(engine: Engine, muelle: Run) -> None:
    answer_run(engine)
    created = [Answer(404, {"message": "No such image: busybox:latest"}), Answer(201, {"Id": ID, "Warnings": []})]
    engine.answers["POST /containers/create"] = lambda _: created.pop(0)
    engine.answers["POST /images/create"] = Answer(200, b'{"status":"Pull complete","id":"aa"}\r\n')
    result = muelle("run", "-d", "busybox")
    assert result.stdout.decode() == f"{ID}\n"
    assert b"Unable to find image 'busybox:latest' locally\naa: Pull complete\n" in result.stderr
    engine.answers["POST /containers/create"] = Answer(404, {"message": "No such image: busybox:latest"})
    assert muelle("run", "--pull", "never", "busybox").returncode == 125


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("run", "--nosuch", "x"), 125, "unknown flag: --nosuch"),
        (("run",), 125, "Missing argument"),
        (("run", "BAD"), 125, "repository name (library/BAD) must be lowercase"),
        (("run", "-it", "x"), 1, "the input device is not a TTY"),
        (("nosuch",), 1, "muelle: unknown command: muelle nosuch"),
        (("ps", "-f", "x"), 125, "bad format of filter (expected name=value)"),
        (("logs", "x", "--since", "yesterday"), 1, "failed to parse value as time or duration"),
        (("cp", "a:b", "c:d"), 1, "copying between containers is not supported"),
        (("tag", "x", "Y"), 1, 'Error parsing reference: "Y" is not a valid repository/tag'),
    ],
)
def test_misuse_is_answered_without_the_engine(
    engine: Engine, muelle: Run, arguments: tuple[str, ...], status: int, text: str
) -> None:
    engine.answers["GET /containers/x/json"] = Answer(200, {"Id": ID, "Config": {"Tty": False}})
    result = muelle(*arguments)
    assert (result.returncode, text in result.stderr.decode()) == (status, True), result.stderr


def test_exec_ends_with_the_status_of_its_process(engine: Engine, muelle: Run) -> None:
    engine.answers |= {
        "POST /containers/c/exec": Answer(201, {"Id": "e1"}),
        "POST /exec/e1/start": Answer(then=lambda connection: connection.sendall(frame(1, b"done\n"))),
        "GET /exec/e1/json": Answer(200, {"ExitCode": 3}),
    }
    result = muelle("exec", "-e", "A=1", "c", "sh", "-c", "exit 3")
    assert (result.returncode, result.stdout) == (3, b"done\n")
    assert engine.requests[0].json["Cmd"] == ["sh", "-c", "exit 3"]


def test_logs_are_taken_apart(engine: Engine, muelle: Run) -> None:
    engine.answers["GET /containers/c/json"] = Answer(200, {"Id": ID, "Config": {"Tty": False}})
    engine.answers[f"GET /containers/{ID}/logs"] = Answer(200, frame(1, b"one\n") + frame(2, b"two\n"))
    result = muelle("logs", "-t", "--tail", "5", "c")
    assert (result.stdout, result.stderr) == (b"one\n", b"two\n")
    assert engine.requests[-1].query == {"stdout": ["1"], "stderr": ["1"], "tail": ["5"], "timestamps": ["1"]}


def test_a_token_is_sent_and_an_absent_engine_named(engine: Engine, muelle: Run, tmp_path: Path) -> None:
    engine.answers["GET /containers/json"] = Answer(200, [])
    muelle("ps", MUELLE_TOKEN="secret")
    assert engine.requests[0].headers["Authorization"] == "Bearer secret"
    result = muelle("ps", DOCKER_HOST=f"unix://{tmp_path}/none")
    assert (result.returncode, result.stderr.decode()) == (
        1, f"Cannot connect to the Docker daemon at unix://{tmp_path}/none. Is the docker daemon running?\n",
    )  # fmt: skip


def test_load_sends_the_archive_and_shows_the_stream(engine: Engine, muelle: Run, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"x" * 100_000)
    engine.answers["POST /images/load"] = Answer(200, b'{"stream":"Loaded image: a:b\\n"}\r\n')
    assert muelle("load", "-i", str(archive)).stdout == b"Loaded image: a:b\n"
    assert engine.requests[0].body == b"x" * 100_000
    engine.answers["POST /images/load"] = Answer(200, b'{"errorDetail":{"message":"bad"},"error":"bad"}\r\n')
    result = muelle("load", input=b"x")
    assert (result.returncode, result.stderr) == (1, b"bad\n")


def test_a_saved_file_appears_only_when_it_is_complete(engine: Engine, muelle: Run, tmp_path: Path) -> None:
    engine.answers["GET /images/get"] = Answer(200, b"archive")
    assert muelle("save", "-o", str(tmp_path / "out"), "a", "b").returncode == 0
    assert (tmp_path / "out").read_bytes() == b"archive"
    assert engine.requests[0].query == {"names": ["a", "b"]}
    engine.answers["GET /images/get"] = Answer(404, {"message": "No such image: a:latest"})
    assert muelle("save", "-o", str(tmp_path / "other"), "a").returncode == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["engine.sock", "out"]


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.mode = 0o755
    return info


@pytest.mark.parametrize(
    "members",
    [
        [(member("d/../../escape"), b"x")],
        [
            (member("d", tarfile.DIRTYPE), b""),
            (member("d/l", tarfile.SYMTYPE, "../../.."), b""),
            (member("d/l/escape"), b"x"),
        ],
        [(member("d", tarfile.SYMTYPE, "/tmp"), b""), (member("d/escape"), b"x")],
        [(member("d/h", tarfile.LNKTYPE, "../../../etc/passwd"), b"")],
        [(member("d/null", tarfile.CHRTYPE), b"")],
    ],
)
def test_a_hostile_container_cannot_make_cp_write_elsewhere(
    engine: Engine, muelle: Run, tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    engine.answers["GET /containers/c/archive"] = Answer(200, archive_of(*members))
    result = muelle("cp", "c:/d", str(inner))
    assert result.returncode == 1
    assert not list(tmp_path.rglob("escape*"))
    assert not os.path.lexists("/tmp/escape")
    assert b"refusing" in result.stderr or b"cannot copy device" in result.stderr


def test_cp_out_of_a_container_renames_and_keeps_modes(engine: Engine, muelle: Run, tmp_path: Path) -> None:
    tree = archive_of(
        (member("d", tarfile.DIRTYPE), b""), (member("d/f"), b"text"), (member("d/l", tarfile.SYMTYPE, "f"), b"")
    )
    engine.answers["GET /containers/c/archive"] = Answer(200, tree)
    assert muelle("cp", "c:/x/d", str(tmp_path / "new")).returncode == 0
    assert (tmp_path / "new" / "l").read_text() == "text"
    assert (tmp_path / "new" / "f").stat().st_mode & 0o777 == 0o755
    (tmp_path / "there").mkdir()
    assert muelle("cp", "c:/x/d/.", str(tmp_path / "there")).returncode == 0
    assert (tmp_path / "there" / "f").read_text() == "text"


def test_cp_into_a_container_sends_the_tree_under_its_new_name(engine: Engine, muelle: Run, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("text")

    def stat(request: Request) -> Answer:
        if request.query["path"] == ["/there"]:
            found = base64.b64encode(json.dumps({"name": "there", "mode": 1 << 31 | 0o755, "linkTarget": ""}).encode())
            return Answer(200, None, {"X-Docker-Container-Path-Stat": found.decode()})
        return Answer(404, {"message": "Could not find the file"})

    engine.answers["HEAD /containers/c/archive"] = stat
    engine.answers["PUT /containers/c/archive"] = Answer(200)
    for target, path, name in (("/there", "/there", "d/f"), ("/new", "/", "new/f")):
        assert muelle("cp", str(tmp_path / "d"), f"c:{target}").returncode == 0
        request = engine.requests[-1]
        assert request.query == {"path": [path], "noOverwriteDirNonDir": ["1"]}
        with tarfile.open(fileobj=io.BytesIO(request.body)) as archive:
            assert name in archive.getnames()


def test_stats_are_computed_as_docker_does(engine: Engine, muelle: Run) -> None:
    sample = {
        "id": ID, "name": "/web", "pids_stats": {"current": 2},
        "cpu_stats": {"cpu_usage": {"total_usage": 300}, "system_cpu_usage": 2000, "online_cpus": 2},
        "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000},
        "memory_stats": {"usage": 3 << 20, "limit": 8 << 20, "stats": {"inactive_file": 1 << 20}},
        "networks": {"eth0": {"rx_bytes": 1500, "tx_bytes": 20}},
        "blkio_stats": {"io_service_bytes_recursive": [{"major": 8, "minor": 0, "op": "Read", "value": 4096}]},
    }  # fmt: skip
    engine.answers["GET /containers/web/stats"] = Answer(200, sample)
    result = muelle(
        "stats",
        "--no-stream",
        "--format",
        "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}}",
        "web",
    )
    assert result.stdout.decode() == "web 40.00% 2MiB / 8MiB 25.00% 1.5kB / 20B 4.1kB / 0B\n"


def test_every_command_has_help(muelle: Run) -> None:
    from frontend.cli.main import COMMANDS, load

    assert all(load(place).help or load(place).name for place in COMMANDS.values())
    result = muelle("--help")
    assert all(f"  {name} " in result.stdout.decode() for name in COMMANDS)
