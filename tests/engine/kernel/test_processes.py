"""Naming a process for good."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest

from engine.kernel.processes import is_ending, start_time


def test_a_living_process_keeps_its_start_time() -> None:
    assert start_time(os.getpid()) == start_time(os.getpid()) is not None


def test_a_name_with_a_parenthesis_confuses_nobody() -> None:
    with subprocess.Popen(
        ["bash", "-c", "printf ') R 1' > /proc/self/comm; echo ready; read"], stdin=-1, stdout=-1
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert (start_time(process.pid) or 0) >= (start_time(os.getpid()) or 0)
        process.kill()


def test_a_zombie_and_nobody_have_none() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert start_time(process.pid) is None
    process.wait()
    assert start_time(process.pid) is None


def test_who_has_ended_is_ending() -> None:
    assert not is_ending(os.getpid())
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_ending(process.pid)
    process.wait()
    assert is_ending(process.pid)


def test_who_cannot_be_asked_after_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, _mode: str) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        start_time(os.getpid())
