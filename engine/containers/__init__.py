"""Containers: configuration, runtime specification, launcher, shim, logs, statistics."""
