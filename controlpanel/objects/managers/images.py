"""Images by reference or by ID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.db import models

from controlpanel.objects.managers.prefixes import is_id_prefix, upper_bound
from engine.errors import InvalidArgument, NotFound
from engine.images import references

if TYPE_CHECKING:
    from controlpanel.objects.models.images import Image

SHA256 = "sha256:"


class ImageManager(models.Manager["Image"]):
    def find(self, node: str, reference: str) -> Image:
        """The image that a reference (``busybox``, ``host/a/b:tag``, ``name@sha256:…``) or an ID, whole or cut, means.

        Raises NotFound (``No such image: busybox:latest``) and InvalidArgument (malformed, or an ambiguous prefix).
        """
        found = self._by_reference(node, reference) or self._by_id(node, reference)
        if found is None:
            raise NotFound(f"No such image: {_display(reference)}")
        return found

    afind = sync_to_async(find, thread_sensitive=True)

    def _by_reference(self, node: str, reference: str) -> Image | None:
        if reference.startswith(SHA256):
            return None
        try:
            parsed = references.parse(reference)
        except InvalidArgument:
            # A bare ID of 64 digits is no valid name; whatever is neither is the caller's mistake.
            if is_id_prefix(reference):
                return None
            raise
        return self.filter(references__name=parsed.canonical, references__node_id=node).first()

    def _by_id(self, node: str, reference: str) -> Image | None:
        digits = reference.removeprefix(SHA256)
        if not is_id_prefix(digits):
            return None
        bounds = {"image_id__gte": SHA256 + digits, "image_id__lt": SHA256 + upper_bound(digits)}
        found = list(self.filter(node_id=node, **bounds)[:2])
        if len(found) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {reference}")
        return found[0] if found else None


def _display(reference: str) -> str:
    """Docker names the tag that it looked for: ``nosuch`` is shown as ``nosuch:latest``."""
    if reference.startswith(SHA256):
        return reference
    try:
        return references.parse(reference).familiar
    except InvalidArgument:
        return reference
