"""Panel first (it owns ``/``, ``/panel/`` and ``/static/``), then the Engine API, whose last route is Docker's 404."""

from __future__ import annotations

from controlpanel.api import urls as api
from controlpanel.panel import urls as panel

urlpatterns = [*panel.urlpatterns, *api.urlpatterns]
