"""The web server process: Daphne with hijacked connections, streamed uploads and back-pressure."""
