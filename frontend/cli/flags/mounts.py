"""``-v``, ``--mount``, ``--tmpfs`` and ``--device``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from frontend.cli import units
from frontend.cli.errors import CliError


def volumes(given: Iterable[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """``-v``: binds and named volumes ("source:target[:mode]"), and paths of anonymous volumes."""
    binds, anonymous = [], {}
    for text in given:
        source, mark, rest = text.partition(":")
        if not mark:
            anonymous[source] = dict[str, str]()
            continue
        if source.startswith((".", "~")) and not source.strip("."):
            source = os.path.abspath(source)  # noqa: PTH100 -- "." and ".." have no file to resolve
        elif source.startswith(("./", "../")):
            source = os.path.abspath(source)  # noqa: PTH100 -- without following links, as docker
        binds.append(f"{source}:{rest}")
    return binds, anonymous


def mount(text: str) -> dict[str, Any]:
    """``--mount type=bind,source=/a,target=/b,readonly``. Raises CliError."""
    found: dict[str, Any] = {"Type": "volume"}
    for field in text.split(","):
        key, mark, value = field.partition("=")
        _set(found, text, key.strip().lower(), value if mark else None)
    if "Target" not in found:
        raise _invalid(text, "target is required")
    return found


def _set(found: dict[str, Any], text: str, key: str, value: str | None) -> None:
    if key in ("readonly", "ro"):
        found["ReadOnly"] = _truth(text, key, value)
    elif key == "volume-nocopy":
        found.setdefault("VolumeOptions", {})["NoCopy"] = _truth(text, key, value)
    elif key == "bind-nonrecursive":
        found.setdefault("BindOptions", {})["NonRecursive"] = _truth(text, key, value)
    elif value is None:
        raise _invalid(text, f"invalid field '{key}' must be a key=value pair")
    elif key == "type":
        found["Type"] = value.lower()
    elif key in ("source", "src"):
        found["Source"] = os.path.abspath(value) if value.startswith((".", "..")) else value  # noqa: PTH100
    elif key in ("target", "dst", "destination"):
        found["Target"] = value
    else:
        _set_option(found, text, key, value)


def _set_option(found: dict[str, Any], text: str, key: str, value: str) -> None:
    if key == "consistency":
        found["Consistency"] = value.lower()
    elif key == "bind-propagation":
        found.setdefault("BindOptions", {})["Propagation"] = value.lower()
    elif key == "volume-subpath":
        found.setdefault("VolumeOptions", {})["Subpath"] = value
    elif key == "volume-driver":
        found.setdefault("VolumeOptions", {}).setdefault("DriverConfig", {})["Name"] = value
    elif key == "volume-label":
        name, _, content = value.partition("=")
        found.setdefault("VolumeOptions", {}).setdefault("Labels", {})[name] = content
    elif key == "volume-opt":
        name, _, content = value.partition("=")
        driver = found.setdefault("VolumeOptions", {}).setdefault("DriverConfig", {})
        driver.setdefault("Options", {})[name] = content
    elif key == "tmpfs-size":
        found.setdefault("TmpfsOptions", {})["SizeBytes"] = units.parse_size(value)
    elif key == "tmpfs-mode":
        found.setdefault("TmpfsOptions", {})["Mode"] = _octal(text, value)
    else:
        raise _invalid(text, f"unexpected key '{key}' in '{key}={value}'")


def _octal(text: str, value: str) -> int:
    try:
        return int(value, 8)
    except ValueError:
        raise _invalid(text, f"invalid value for tmpfs-mode: {value}") from None


def _truth(text: str, key: str, value: str | None) -> bool:
    if value is None or value.lower() in ("1", "true", "t"):
        return True
    if value.lower() in ("0", "false", "f"):
        return False
    raise _invalid(text, f"invalid value for {key}: {value}")


def _invalid(text: str, reason: str) -> CliError:
    return CliError(f'invalid argument "{text}" for "--mount" flag: {reason}', 125)


def tmpfs(given: Iterable[str]) -> dict[str, str]:
    """``/path[:options]``."""
    return {path: options for path, _, options in (text.partition(":") for text in given)}


def device(text: str) -> dict[str, str]:
    """``/dev/host[:/dev/container][:rwm]``."""
    source, *rest = text.split(":")
    target, access = source, "rwm"
    if len(rest) == 1 and rest[0] and not set(rest[0]) - set("rwm"):
        access = rest[0]
    elif rest:
        target = rest[0] or source
        access = rest[1] if len(rest) > 1 else access
    if len(rest) > 2 or set(access) - set("rwm"):
        raise CliError(f"invalid device specification: {text}", 125)
    return {"PathOnHost": source, "PathInContainer": target, "CgroupPermissions": access}
