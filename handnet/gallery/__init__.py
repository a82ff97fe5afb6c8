"""Enrol, identify, verify: a gallery of people over an embedded store or a server."""

from handnet.gallery.gallery import Gallery

__all__ = ["Gallery"]
