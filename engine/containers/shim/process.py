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
from typing import Any, NamedTuple, NoReturn

from engine.containers.shim import descriptors, procfs
from engine.containers.shim.users import User, lookup
from engine.errors import InvalidArgument
from engine.kernel import capabilities, libc

Process = dict[str, Any]

NOT_FOUND, NOT_EXECUTABLE = 127, 126
_SIGKILL = int(signal.SIGKILL)
_IGNORED = (int(signal.SIGPIPE), int(signal.SIGXFSZ))


class CannotRun(InvalidArgument):
    """The command cannot be run. ``exit_code`` is what a shell would report: 126 or 127."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class CommandError(CannotRun):
    """The command is missing or not executable."""

    def __init__(self, command: str, reason: str, exit_code: int) -> None:
        super().__init__(f'exec: "{command}": {reason}: unknown', exit_code)


class Command(NamedTuple):
    """What is left to do: load ``filter``, if there is one, and execute."""

    program: libc.Program
    filter: bytes

    def execute(self) -> NoReturn:
        """Replace this process. Raises OSError."""
        libc.prctl(libc.PR_SET_PDEATHSIG, _SIGKILL)
        if self.filter:
            libc.set_seccomp_filter(self.filter)
        self.program.execute()
        raise AssertionError("execve(2) returned")


def become(process: Process) -> NoReturn:
    """Replace this process. Raises MuelleError when it cannot; never returns."""
    command = prepare(process)
    try:
        command.execute()
    except OSError as error:
        raise command_error(process["args"][0], error) from error


def prepare(process: Process) -> Command:
    """Make this process what the command is to be. Raises MuelleError when it cannot be run.

    A filter is left to be loaded last where no_new_privs lets anybody do that: the command's filter need not allow
    what is done here.
    """
    user = lookup(process["user"], process["groups"])
    environment = _environment(process, user)
    _set_limits(process)
    program = base64.b64decode(process["seccomp"])
    if process["no_new_privileges"]:
        libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    elif program:
        libc.set_seccomp_filter(program)
        program = b""
    _drop_privileges(user, process["capabilities"])
    _enter_directory(process["cwd"])
    path = _find(process["args"][0], environment.get("PATH", ""))
    _reset_signals()
    return Command(libc.Program(path, process["args"], environment), program)


def _environment(process: Process, user: User) -> dict[str, str]:
    """Later entries win; one without ``=`` takes its variable away, as in Docker."""
    environment: dict[str, str] = {}
    for entry in process["env"]:
        name, separator, value = entry.partition("=")
        if separator:
            environment[name] = value
        else:
            environment.pop(name, None)
    environment.setdefault("HOME", user.home)
    return environment


def _set_limits(process: Process) -> None:
    os.umask(0o022)
    if process["oom_score_adj"]:
        procfs.write("/proc/self/oom_score_adj", str(process["oom_score_adj"]))
    descriptors.restore_limit()
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
        _require_inside()
    except OSError as error:
        reason = (error.strerror or "").lower()
        text = f'chdir to cwd ("{path}") set in config.json failed: {reason}: unknown'
        raise CannotRun(text, NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE) from error


def _require_inside() -> None:
    """getcwd(2) finds no path for a directory outside the root: one of ours, by a link in /proc (CVE-2024-21626)."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise
    except OSError:  # a filter does not allow it
        return


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
        raise command_error(command, error) from error
    if mode & 0o170000 == 0o040000:
        raise CommandError(command, "is a directory", NOT_EXECUTABLE)
    if not mode & 0o111:
        raise CommandError(command, "permission denied", NOT_EXECUTABLE)


def command_error(command: str, error: OSError) -> CommandError:
    """Why execve(2) or stat(2) of a command failed, in runc's words."""
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    text = (error.strerror or "").lower()
    reason = f"stat {command}: {text}" if missing else text
    return CommandError(command, reason, NOT_FOUND if missing else NOT_EXECUTABLE)


def _reset_signals() -> None:
    """Python ignores these, and ignored signals stay ignored over execve."""
    for number in _IGNORED:
        libc.default_signal(number)
