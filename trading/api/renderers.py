"""Answers as JSON.

A price is a double, and Python writes the shortest text that reads back as the same one. Of the decimals with at most
15 digits each has a double of its own (IEEE 754, DBL_DIG), so that text is the price itself: 41.35, never 41.349999.
"""

import json
from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import JSONRenderer

# Made once: json.dumps would make one each time.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


class ExactJSONRenderer(JSONRenderer):
    """JSON in UTF-8; prices are numbers with at most two decimals."""


def exact_json(data: Mapping[str, Any]) -> str:
    """Return an object as the renderer writes it: on one line, with no space that need not be."""
    return _encode(data)
