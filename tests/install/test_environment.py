from __future__ import annotations

import pytest

from install import environment


@pytest.mark.parametrize(("url", "driver"), [("", False), ("postgresql://user@host/name", True)])
def test_a_database_url_asks_for_its_driver(monkeypatch: pytest.MonkeyPatch, url: str, driver: bool) -> None:
    monkeypatch.setenv("MUELLE_DATABASE_URL", url)
    wanted = environment.requirements(tests=False)
    assert (environment.POSTGRESQL_REQUIREMENTS in wanted) is driver
    assert all(path.is_file() for path in wanted)
