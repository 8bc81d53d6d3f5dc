"""The monitor: turns what shims report, and what the disk shows, into database state, and acts on it.

It alone handles the ends of containers, so nothing races with it: every task that waits for an end leaves a Waiter.
"""
