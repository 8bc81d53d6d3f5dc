from __future__ import annotations

import pytest

from install.settings import Settings
from install.steps import Failure


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "RUN", "BIND", "BROKER_URL", "DATABASE_URL", "NODE", "ADMIN_PASSWORD"):
        monkeypatch.delenv(f"MUELLE_{name}", raising=False)


def test_defaults() -> None:
    settings = Settings.from_environment()
    assert settings.address == ("127.0.0.1", 8000)
    assert settings.panel == "http://127.0.0.1:8000/"
    assert settings.docker_host == "unix:///run/muelle/docker.sock"


@pytest.mark.parametrize(
    ("bind", "address", "panel"),
    [
        ("0.0.0.0:80", ("0.0.0.0", 80), "http://127.0.0.1:80/"),
        ("[::]:8080", ("::", 8080), "http://[::1]:8080/"),
        ("host.example:443", ("host.example", 443), "http://host.example:443/"),
    ],
)
def test_bind(monkeypatch: pytest.MonkeyPatch, bind: str, address: tuple[str, int], panel: str) -> None:
    monkeypatch.setenv("MUELLE_BIND", bind)
    settings = Settings.from_environment()
    assert settings.address == address
    assert settings.panel == panel


@pytest.mark.parametrize("bind", ["8000", "localhost", "127.0.0.1:", "127.0.0.1:port", "127.0.0.1:70000", ":0"])
def test_a_bind_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    monkeypatch.setenv("MUELLE_BIND", bind)
    with pytest.raises(Failure, match="MUELLE_BIND"):
        Settings.from_environment()


def test_services_see_settings_but_neither_the_password_nor_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUELLE_LOG_LEVEL", "debug")
    monkeypatch.setenv("MUELLE_ADMIN_PASSWORD", "secret")
    monkeypatch.setenv("PYTHONSTARTUP", "/etc/anything")
    environment = Settings.from_environment().environment()
    assert environment["MUELLE_LOG_LEVEL"] == "debug"
    assert environment["MUELLE_NODE"] == "local"
    assert not {"MUELLE_ADMIN_PASSWORD", "PYTHONSTARTUP"} & set(environment)
