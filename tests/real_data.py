"""The folder of real files for checks, named by ADFF_REAL_DATA (layout: CONTRIBUTING.md)."""

import os
from pathlib import Path

import pytest

_FOLDER = os.environ.get("ADFF_REAL_DATA")

needs_real_data = pytest.mark.skipif(
    not _FOLDER, reason="ADFF_REAL_DATA is not set: no real recordings and labels to check against"
)


def real_data(*parts: str) -> Path:
    """A file or folder of the real data."""
    return Path(_FOLDER or "", *parts)
