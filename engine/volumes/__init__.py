"""Volumes: named directories that outlive containers. The only driver is ``local``."""
