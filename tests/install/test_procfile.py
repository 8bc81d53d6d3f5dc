from __future__ import annotations

import configparser
import shlex
from typing import TYPE_CHECKING

import pytest

from engine.layout import Layout
from install import procfile
from install.settings import CHECKOUT, Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(Layout(tmp_path / "ho%me", tmp_path / "run dir"), "127.0.0.1:8000", "", "", "local")


def test_every_line_of_the_procfile_is_a_program(settings: Settings) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(procfile.configuration(settings))
    programs = {name.removeprefix("program:") for name in parser.sections() if name.startswith("program:")}
    assert programs == {"broker", "launcher", "monitor", "worker-disk", "worker-lifecycle", "worker-transfer", "web"}


def test_a_broker_elsewhere_replaces_ours(settings: Settings) -> None:
    names = [service.name for service in procfile.services(settings._replace(broker_url="redis://broker.example/0"))]
    assert "broker" not in names
    assert "web" in names


def test_whoever_is_waited_for_starts_first(settings: Settings) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(procfile.configuration(settings))
    order = sorted(
        (name for name in parser.sections() if name.startswith("program:")),
        key=lambda name: parser.getint(name, "priority"),
    )
    assert order[:2] == ["program:broker", "program:launcher"]
    assert order[-1] == "program:web"


def test_paths_with_spaces_and_percent_signs_reach_the_program(settings: Settings) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(procfile.configuration(settings))
    command = shlex.split(parser.get("program:launcher", "command").replace("%%", "%"))
    assert command[:2] == ["/bin/sh", "-c"]
    assert f"'{settings.layout.services}/launcher.pid'" in command[2]
    assert parser.get("program:web", "stdout_logfile") == f"{settings.layout.logs}/web.log".replace("%", "%%")


@pytest.mark.parametrize("name", ["broker", "web"])
def test_unprivileged_services_read_the_checkout_through_a_private_mount(settings: Settings, name: str) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(procfile.configuration(settings))
    command = shlex.split(parser.get(f"program:{name}", "command").replace("%%", "%"))
    assert command[:2] == ["unshare", "--mount"]
    assert str(CHECKOUT) in command
    assert str(settings.layout.application) in command


def test_a_dying_launcher_never_takes_its_group_along(settings: Settings) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(procfile.configuration(settings))
    assert parser.get("program:launcher", "killasgroup") == "false"
