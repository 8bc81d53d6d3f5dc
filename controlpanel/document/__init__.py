"""The API's document, ``docs/openapi.json``: ``python -m controlpanel.document`` makes it from the routes."""
