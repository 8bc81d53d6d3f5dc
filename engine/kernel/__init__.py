"""One module per kernel facility, named as in the man pages."""
