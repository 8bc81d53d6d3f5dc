"""How the web process has a worker do something: all that knows Celery and its messages.

contract  →  calls  →  broker  →  worker  →  implementation
caller    ←  replies  ←  broker  ←  outcome
"""
