"""``python3 -m install up|down|status|test|check|bench``; started by the script ``muelle``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from install import bench, check, status, test, up
from install.settings import Settings
from install.steps import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

USAGE = """\
usage: ./muelle up [-d]        set up what is missing and start the services
       ./muelle down           stop the services; containers go on
       ./muelle status         what runs
       ./muelle test [ARGS]    the gate, then all tests; with arguments, only pytest with them
       ./muelle check          the gate: format, lint, types, import laws, migrations, spelling, page
       ./muelle bench [ARGS]   measure this engine against dockerd; --help lists the arguments
       ./muelle COMMAND ...    the client: ps, run, exec, logs and the other words of docker"""


def _up(words: list[str]) -> int:
    if words not in ([], ["-d"], ["--detach"]):
        return _usage(words)
    up.up(Settings.from_environment(), detached=bool(words))
    return 0


def _down(words: list[str]) -> int:
    if words:
        return _usage(words)
    up.down(Settings.from_environment())
    return 0


def _status(words: list[str]) -> int:
    return _usage(words) if words else status.status(Settings.from_environment())


def _check(words: list[str]) -> int:
    return _usage(words) if words else check.check()


def _usage(_words: list[str]) -> int:
    print(USAGE, file=sys.stderr)
    return 2


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "test": test.test,
    "check": _check,
    "bench": bench.bench,
}


def main(words: list[str]) -> int:
    name, *rest = words or [""]
    try:
        return COMMANDS.get(name, _usage)(rest)
    except Failure as failure:
        print(f"\nmuelle: {failure}", file=sys.stderr)
        if failure.hint:
            print(f"hint: {failure.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
