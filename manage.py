#!/usr/bin/env python
"""Django's command line for this project: ``manage.py migrate``, ``manage.py monitor``, ``manage.py check``."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")
    execute_from_command_line(sys.argv)
