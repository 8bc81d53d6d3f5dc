"""Importing this module registers every task; a worker does so once, at its start."""

from controlpanel.tasks import system

__all__ = ["system"]
