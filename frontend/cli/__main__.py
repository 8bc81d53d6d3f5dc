"""``python -m frontend.cli``."""

from frontend.cli.main import main

main()
