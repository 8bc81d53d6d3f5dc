"""Launcher, shim and what they fork: everything between a start request and a container's command."""
