"""The Docker Engine REST API 1.51: one module of views per object, and beside it what renders that object."""
