"""The Django project: objects, access, tasks, streams, the Engine API and the panel."""
