"""Answers as JSON with exact prices."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

# Any decimal number of at most this many digits survives the way through a double and back (IEEE 754, DBL_DIG).
EXACT_DIGITS = 15


def json_number(value: Decimal) -> float:
    """Return the double whose JSON text is exactly `value`.

    Python writes the shortest text that reads back as the same double. Of the decimals with at most EXACT_DIGITS
    digits each has a double of its own, so that shortest text is the decimal itself: 41.35, never 41.349999.

    Raises:
        ValueError: more than EXACT_DIGITS digits, or a size that would be written with an exponent.
    """
    if len(value.as_tuple().digits) > EXACT_DIGITS or not Decimal("0.0001") <= abs(value) < Decimal(10) ** EXACT_DIGITS:
        raise ValueError(f"{value} has no exact JSON number")
    return float(value)


class ExactJSONEncoder(JSONEncoder):
    """Writes a Decimal as a JSON number with the same digits."""

    def default(self, obj: Any) -> Any:
        """Return what stands for a value that JSON does not know."""
        return json_number(obj) if isinstance(obj, Decimal) else super().default(obj)


class ExactJSONRenderer(JSONRenderer):
    """JSON in UTF-8; prices are numbers with at most two decimals."""

    encoder_class = ExactJSONEncoder


# Made once: json.dumps would make one each time.
_encode = ExactJSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def exact_json(data: Mapping[str, Any]) -> str:
    """Return an object as the renderer writes it: on one line, with no space that need not be."""
    return _encode(data)
