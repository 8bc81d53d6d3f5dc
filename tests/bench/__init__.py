"""Measurements of this engine beside dockerd: ``./muelle bench``."""
