"""Set-up and supervision of an installation. Standard library only: this runs before any virtual environment exists."""
