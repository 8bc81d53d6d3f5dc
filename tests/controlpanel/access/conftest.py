"""The trio of every access test: an administrator, a viewer, and nobody."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

PASSWORD = "correct horse battery"


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("ada", password=PASSWORD)


@pytest.fixture
def viewer(db: None) -> User:
    return User.objects.create_user("vera", password=PASSWORD)
