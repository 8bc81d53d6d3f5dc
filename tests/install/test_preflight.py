from __future__ import annotations

import socket
from pathlib import Path

import pytest

from engine.layout import Layout
from install import preflight
from install.settings import Settings
from install.steps import Failure


def _settings(run: Path, bind: str = "127.0.0.1:8000") -> Settings:
    return Settings(Layout(Path("/var/lib/muelle"), run), bind, "", "", "local")


def test_a_run_directory_too_deep_for_sockets_is_refused_with_a_hint() -> None:
    with pytest.raises(Failure, match="5 bytes too long") as caught:
        preflight._check_socket_paths(_settings(Path("/" + "r" * (preflight.UNIX_PATH_MAX - len("/shims/") - 24 + 4))))
    assert "shorter" in caught.value.hint


def test_the_longest_run_directory_that_fits_is_accepted() -> None:
    preflight._check_socket_paths(_settings(Path("/" + "r" * (preflight.UNIX_PATH_MAX - len("/shims/") - 25))))


def test_a_port_in_use_is_refused_with_another_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Failure, match="address already in use") as caught:
            preflight.check_port(_settings(Path("/run/muelle"), f"127.0.0.1:{port}"))
    assert f"MUELLE_BIND=127.0.0.1:{port + 1}" in caught.value.hint


def test_an_address_of_another_host_is_refused() -> None:
    with pytest.raises(Failure, match=r"192\.0\.2\.1"):
        preflight.check_port(_settings(Path("/run/muelle"), "192.0.2.1:8000"))


def test_others_must_not_run_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Failure, match="root"):
        preflight._check_root()
