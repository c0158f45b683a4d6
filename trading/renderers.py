"""Answers as JSON with exact prices, and the browsable API with the same data."""

from decimal import Decimal
from typing import Any

from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
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


_OUTCOME_WORDS = {
    "not_executed": "The order was not executed.",
    "unknown": "Nobody knows yet whether the order was executed: send it again with the same client order id.",
}


class BrowsableRenderer(BrowsableAPIRenderer):
    """The browsable API. A view may offer `example_body` for the raw data form: JSON that can be sent as it stands."""

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        """Return the form for a JSON body, filled with the view's example."""
        form = super().get_raw_data_form(data, view, method, request)
        if form is not None and hasattr(view, "example_body"):
            form.fields["_content"].initial = view.example_body
        return form

    def get_context(self, data: Any, accepted_media_type: str, renderer_context: Any) -> Any:
        """Return the context of the page: with the error, shown above everything else, and the next page's path."""
        context = super().get_context(data, accepted_media_type, renderer_context)
        error = data.get("error", {})
        return context | {
            "error": error,
            "outcome_words": _OUTCOME_WORDS.get(error.get("outcome", ""), ""),
            "can_log_in": bool(renderer_context["view"].get_authenticators()),
            "next_page": data.get("page", {}).get("next"),
        }


class StartPageRenderer(BrowsableRenderer):
    """The browsable start page: a form for an order, one for a look-up, and the way to the lists."""

    template = "trading/start.html"

    def get_context(self, data: Any, accepted_media_type: str, renderer_context: Any) -> Any:
        """Return the context of the page, with the fields of the view's `form_class`."""
        context = super().get_context(data, accepted_media_type, renderer_context)
        form = renderer_context["view"].form_class()
        return context | {"order_fields": self.render_form_for_serializer(form)}
