"""The event loop of the process, and Twisted's reactor on it.

Daphne makes the loop and installs the reactor when it is imported, which must come before any other import of the
reactor.
"""

from __future__ import annotations

import asyncio
from typing import Any

from daphne.server import twisted_loop
from twisted.internet import reactor as installed_reactor

loop: asyncio.AbstractEventLoop = twisted_loop
# Its type is the interface of one of several reactors; which one it is was decided by Daphne.
reactor: Any = installed_reactor
