"""Write the document where the checkout keeps it."""

from __future__ import annotations

import os

import django
import orjson

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")


def main() -> None:
    django.setup()
    from django.conf import settings

    from controlpanel.document.generator import document

    text = orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (settings.CHECKOUT / "docs" / "openapi.json").write_bytes(text)


main()
