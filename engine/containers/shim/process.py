"""Turns this process into a container's process: limits, user, capabilities, seccomp, and at last execve.

Used by the container's first process and by exec sessions, after namespaces and root are entered. The order follows
what each step needs: user names are looked up inside the container's root; a filter without no_new_privs needs
CAP_SYS_ADMIN; the bounding set needs CAP_SETPCAP; changing the user clears the parent-death signal.
"""

from __future__ import annotations

import base64
import os
import resource
import signal
from typing import Any, NoReturn

from engine.containers.shim.users import User, lookup
from engine.errors import InvalidArgument
from engine.kernel import capabilities, libc

Process = dict[str, Any]

NOT_FOUND, NOT_EXECUTABLE = 127, 126


class CannotRun(InvalidArgument):
    """The command cannot be run. ``exit_code`` is what a shell would report: 126 or 127."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class CommandError(CannotRun):
    """The command is missing or not executable."""

    def __init__(self, command: str, reason: str, exit_code: int) -> None:
        super().__init__(f'exec: "{command}": {reason}: unknown', exit_code)


def become(process: Process, *, dies_with_parent: bool) -> NoReturn:
    """Replace this process. Raises MuelleError when it cannot; never returns."""
    user = lookup(process["user"], process["groups"])
    environment = _environment(process, user)
    _set_limits(process)
    if process["no_new_privileges"]:
        libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    program = base64.b64decode(process["seccomp"])
    if program and not process["no_new_privileges"]:
        libc.set_seccomp_filter(program)
    _drop_privileges(user, process["capabilities"])
    if dies_with_parent:
        libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    _enter_directory(process["cwd"])
    path = _find(process["args"][0], environment.get("PATH", ""))
    _reset_signals()
    if program and process["no_new_privileges"]:
        libc.set_seccomp_filter(program)
    try:
        os.execve(path, process["args"], environment)
    except OSError as error:
        raise _command_error(process["args"][0], error) from error


def _environment(process: Process, user: User) -> dict[str, str]:
    environment = dict(entry.split("=", 1) for entry in process["env"])
    environment.setdefault("HOME", user.home)
    return environment


def _set_limits(process: Process) -> None:
    os.umask(0o022)
    if process["oom_score_adj"]:
        with open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
            file.write(str(process["oom_score_adj"]))
    for number, soft, hard in process["rlimits"]:
        try:
            resource.setrlimit(number, (soft, hard))
        except (OSError, ValueError) as error:
            raise InvalidArgument(f"error setting rlimit type {number}: {error}") from error


def _drop_privileges(user: User, bits: int) -> None:
    """Leave the process the given capabilities if it is root, and none if it is not; capabilities(7)."""
    capabilities.limit_bounding(bits)
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    if user.uid:
        os.setresuid(user.uid, user.uid, user.uid)
    capabilities.limit(0 if user.uid else bits)


def _enter_directory(path: str) -> None:
    try:
        os.chdir(path)
    except OSError as error:
        reason = (error.strerror or "").lower()
        text = f'chdir to cwd ("{path}") set in config.json failed: {reason}: unknown'
        raise CannotRun(text, NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE) from error


def _find(command: str, search_path: str) -> str:
    """Look a command up as execvp(3) would, and tell a missing one from one that may not be run."""
    if "/" in command:
        _require_executable(command, command)
        return command
    for directory in search_path.split(":"):
        candidate = f"{directory or '.'}/{command}"
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise CommandError(command, "executable file not found in $PATH", NOT_FOUND)


def _require_executable(path: str, command: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise _command_error(command, error) from error
    if mode & 0o170000 == 0o040000:
        raise CommandError(command, "is a directory", NOT_EXECUTABLE)
    if not mode & 0o111:
        raise CommandError(command, "permission denied", NOT_EXECUTABLE)


def _command_error(command: str, error: OSError) -> CommandError:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    text = (error.strerror or "").lower()
    reason = f"stat {command}: {text}" if missing else text
    return CommandError(command, reason, NOT_FOUND if missing else NOT_EXECUTABLE)


def _reset_signals() -> None:
    """Python ignores these, and ignored signals stay ignored over execve."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
