"""Containers on a terminal: run -it, attach, detach keys, exec -it, resize."""

from __future__ import annotations

import hashlib
import subprocess
import time

from tests.support.docker import Docker
from tests.system.terminal import Terminal
from tests.system.waiting import eventually, inspect, state

# Docker 20.10's command minds SIGWINCH only when its first resize has been answered, some milliseconds later.
LATE_SIGNALS = 0.3
CTRL_C, CTRL_D, CTRL_P, CTRL_Q, CTRL_X = "\x03", "\x04", "\x10", "\x11", "\x18"


def test_a_shell(docker: Docker, image: str) -> None:
    with Terminal(docker, "run", "-it", "--rm", image, "sh") as screen:
        screen.expect("# ")
        screen.type("tty; echo $((6 * 7)); exit 9\n")
        screen.expect("/dev/pts/0", "42")
        assert screen.wait() == 9


def test_interrupt_and_end_of_file(docker: Docker, image: str) -> None:
    with Terminal(docker, "run", "-it", "--rm", image, "sh") as screen:
        screen.expect("# ")
        screen.type("sleep 1000\n")
        screen.expect("sleep 1000")
        eventually(lambda: "sleep 1000" in docker("top", docker("ps", "-lq")))
        screen.type(CTRL_C)
        screen.expect("# ")
        screen.type("echo st''ill\n")
        screen.expect("still", "# ")
        screen.type(CTRL_D)
        assert screen.wait() == 0


def test_the_size_is_the_clients_and_follows_it(docker: Docker, image: str) -> None:
    with Terminal(docker, "run", "-it", "--rm", image, "sh", size=(33, 111)) as screen:
        screen.expect("# ")
        screen.type("while [ \"$(stty size)\" != '33 111' ]; do :; done; echo si''zed\n")
        screen.expect("sized")
        time.sleep(LATE_SIGNALS)
        screen.resize(20, 70)
        screen.type("while [ \"$(stty size)\" != '20 70' ]; do :; done; echo re''sized\n")
        screen.expect("resized")
        screen.type("exit\n")
        assert screen.wait() == 0


def test_detach_and_attach_again(docker: Docker, image: str) -> None:
    with Terminal(docker, "run", "-it", "--name", "shell", image, "sh") as screen:
        screen.expect("# ")
        screen.type("X=remembered\n")
        screen.expect("# ")
        screen.type(CTRL_P + CTRL_Q)
        assert screen.wait() == 0
    assert state(docker, "shell") == "running"
    with Terminal(docker, "attach", "shell") as screen:
        screen.type("\n")
        screen.expect("# ")
        screen.type("echo [$X]\n")
        screen.expect("[remembered]")
        screen.type("exit 4\n")
        assert screen.wait() == 4


def test_other_detach_keys(docker: Docker, image: str) -> None:
    docker("run", "-dit", "--name", "shell", image, "sh")
    with Terminal(docker, "attach", "--detach-keys", "ctrl-x,q", "shell") as screen:
        screen.type("\n")
        screen.expect("# ")
        screen.type(f"echo a{CTRL_P}{CTRL_Q}b\n")  # they mean nothing now
        screen.expect("# ")
        screen.type(CTRL_X + "q")
        screen.expect("read escape sequence")
        screen.wait()
    assert state(docker, "shell") == "running"


def test_what_is_typed_after_half_the_keys_arrives(docker: Docker, image: str) -> None:
    with Terminal(docker, "run", "-it", "--rm", "--detach-keys", "a,b,c", image, "sh") as screen:
        screen.expect("# ")
        screen.type("echo xabx | tr x y; exit\n")
        screen.expect("yaby")
        assert screen.wait() == 0


def test_exec_on_a_terminal(docker: Docker, sleeper: str) -> None:
    with Terminal(docker, "exec", "-it", sleeper, "sh", size=(30, 90)) as screen:
        screen.expect("# ")
        screen.type("while [ \"$(stty size)\" != '30 90' ]; do :; done; echo si''zed\n")
        screen.expect("sized")
        time.sleep(LATE_SIGNALS)
        screen.resize(40, 120)
        screen.type("while [ \"$(stty size)\" != '40 120' ]; do :; done; exit 6\n")
        assert screen.wait() == 6


def test_detach_from_exec(docker: Docker, sleeper: str) -> None:
    with Terminal(docker, "exec", "-it", sleeper, "sh") as screen:
        screen.expect("# ")
        screen.type(CTRL_P + CTRL_Q)
        screen.wait()
    assert state(docker, sleeper) == "running"
    assert inspect(docker, sleeper)["ExecIDs"]


def test_paste(docker: Docker, image: str) -> None:
    """More than a pseudo-terminal buffers at once."""
    text = "".join(f"echo {number:04}\n" for number in range(1500))
    script = f"stty raw -echo; echo go; head -c {len(text)} | md5sum"
    with Terminal(docker, "run", "-it", "--rm", image, "sh", "-c", script) as screen:
        screen.expect("go")
        screen.type(text)
        screen.expect(hashlib.md5(text.encode()).hexdigest())
        assert screen.wait() == 0


def say(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Write without closing: Docker ends an attachment to a detached container when its input ends."""
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


def said(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    while (line := process.stdout.readline()) == b"waiting\n":
        pass
    return line


def test_attach_without_a_terminal(docker: Docker, image: str) -> None:
    script = "read a; read b; echo got $a $b; exit 5"
    docker("run", "-d", "-i", "--name", "reader", image, "sh", "-c", script)
    process = docker.start("attach", "reader")
    say(process, b"one\ntwo\n")
    assert said(process) == b"got one two\n"
    process.communicate(timeout=30)
    assert process.returncode == 5


def test_two_clients_see_the_same(docker: Docker, image: str) -> None:
    script = "while [ ! -e /go ]; do echo waiting; sleep 0.05; done; read line; echo $line; exit 3"
    docker("run", "-d", "-i", "--name", "shared", image, "sh", "-c", script)
    watcher = docker.start("attach", "--no-stdin", "shared")
    assert watcher.stdout is not None
    assert watcher.stdout.readline() == b"waiting\n"
    docker("exec", "shared", "touch", "/go")
    speaker = docker.start("attach", "shared")
    say(speaker, b"hello\n")
    assert said(speaker) == b"hello\n"
    assert said(watcher) == b"hello\n"
    for process in (speaker, watcher):
        process.communicate(timeout=30)
        assert process.returncode == 3


def test_attach_to_a_stopped_container(docker: Docker, image: str) -> None:
    docker("create", "--name", "still", image)
    result = docker.run("attach", "still")
    assert result.returncode == 1
    assert b"cannot attach to a stopped container" in result.stderr


def test_a_killed_client_leaves_the_container_alone(docker: Docker, image: str) -> None:
    process = docker.start("run", "-i", "--name", "orphan", image, "sh", "-c", "while :; do echo x; sleep 0.05; done")
    eventually(lambda: docker("ps", "-q", "--filter", "name=orphan"))
    process.kill()
    process.communicate()
    assert state(docker, "orphan") == "running"
    eventually(lambda: docker("logs", "orphan").count("x") > 3)
