"""The browsable API: the same data as JSON has, as pages for people."""

from typing import Any

from django.template import loader
from rest_framework.renderers import BrowsableAPIRenderer

from common.bounds import MAX_PAGE
from common.calls.failures import RpcFailure
from trading import services

_OUTCOME_WORDS = {
    "not_executed": "The order was not executed.",
    "unknown": "Nobody knows yet whether the order was executed: send it again with the same client order id.",
}


class BrowsableRenderer(BrowsableAPIRenderer):
    """A page for each address: the answer as it is, what it leads to, and a form where something can be sent.

    A view may offer `columns` (of a list's objects; the first is a link), `item_path` (of one of them) and
    `related` (links from its answer).
    """

    template = "trading/page.html"

    def get_context(self, data: Any, accepted_media_type: str, renderer_context: Any) -> dict[str, Any]:
        """Return what the page shows."""
        view, request = renderer_context["view"], renderer_context["request"]
        error = data.get("error", {})
        shown = data.get("data", {})
        return {
            "name": view.get_view_name(),
            "description": view.get_view_description(),
            "request": request,
            "response": renderer_context["response"],
            "user": request.user,
            "can_log_in": bool(view.get_authenticators()),
            "error": error,
            "outcome_words": _OUTCOME_WORDS.get(error.get("outcome", ""), ""),
            "content": self.get_content(self.get_default_renderer(view), data, accepted_media_type, renderer_context),
            "related": view.related(shown if isinstance(shown, dict) else {}),
            "columns": getattr(view, "columns", ()),
            "rows": [_row(view, item) for item in shown] if isinstance(shown, list) else None,
            "next_page": data.get("page", {}).get("next"),
            "form": self.get_rendered_html_form(data, view, "POST", request),
        }

    def render_form_for_serializer(self, serializer: Any) -> str:
        """Return the fields of an order's form, filled, with what is wrong at each."""
        return loader.render_to_string("trading/order_fields.html", {"form": serializer, "stocks": stock_names()})


def _row(view: Any, item: dict[str, Any]) -> tuple[str, list[Any]]:
    """Return the path of one object of a list, and its cells."""
    return view.item_path.format(**item), [item[column] for column in view.columns]


def stock_names() -> list[str]:
    """Return names to choose from; others can be typed. None while the catalog does not answer: the form stays."""
    try:
        return [stock.name for stock in services.list_stocks(after_name="", limit=MAX_PAGE).stocks]
    except RpcFailure:
        return []
