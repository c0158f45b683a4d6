"""GET /schema and GET /docs."""

from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from rest_framework.request import Request
from rest_framework.response import Response

from trading.api.api_view import ApiView
from trading.api.browsable import BrowsableRenderer
from trading.api.renderers import ExactJSONRenderer
from trading.api.schema import operations
from trading.process import OncePerProcess


class DocsRenderer(BrowsableRenderer):
    """The document in Swagger UI, whose files come from here."""

    template = "trading/docs.html"


class SchemaView(ApiView):
    """The OpenAPI document of this interface."""

    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer]

    @operations.schema
    def get(self, request: Request) -> Response:
        """Answer with the document, as JSON; `manage.py spectacular` writes it as YAML."""
        return Response(_document())


class DocsView(ApiView):
    """The OpenAPI document of this interface, to read and to try."""

    renderer_classes = [ExactJSONRenderer, DocsRenderer]

    def get_view_name(self) -> str:
        """Return the page's heading."""
        return "API"

    @operations.docs
    def get(self, request: Request) -> Response:
        """Answer with the page, or for programs with the document's path."""
        return Response({"data": {"schema": "/schema"}})


def _generate() -> dict[str, Any]:
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return document


# The document does not change while the process runs. It is made by one thread: the generator fills tables of its own.
_document = OncePerProcess(_generate)
