"""A panel of the page: a fragment of HTML, asked for when it may have changed. What is in each: views.py."""

import hashlib
import threading
from typing import Any, ClassVar

from django.http import HttpResponse
from django.template import loader
from rest_framework.request import Request

from common.calls.reasons import Reason
from trading.api.accepted import Accepted
from trading.api.api_view import ApiView
from trading.api.errors import ApiError
from trading.api.renderers import ExactJSONRenderer
from trading.process import OncePerProcess

# Panels wait for the catalog where that stands still, a second or two each. However many pages are open, most of the
# server's threads are left to those who trade.
MOST_AT_ONCE = 16

_places = OncePerProcess(lambda: threading.BoundedSemaphore(MOST_AT_ONCE))


class FragmentView(ApiView):
    """Answers with the panel, or with 204 if it is as the page shows it already: then nothing moves there.

    A page says which version it shows; the version is a digest of the HTML. Errors are JSON. A fragment counts among
    the reads of its caller, and is no part of the interface for programs.

    Attributes:
        template: renders `context`.
        parameters: those of the query.
    """

    schema = None
    parameters: ClassVar[frozenset[str]] = frozenset({"version"})
    renderer_classes = [ExactJSONRenderer]
    template = ""

    def accepted(self, method: str) -> Accepted:
        """Return the panel's parameters."""
        return Accepted(self.parameters)

    def context(self, request: Request) -> dict[str, Any]:
        """Return what the template shows. Raises what a view may raise."""
        raise NotImplementedError

    def get(self, request: Request) -> HttpResponse:
        """Answer with the fragment and its version.

        Raises:
            ApiError: OVERLOADED, MOST_AT_ONCE panels are being answered.
        """
        if not _places().acquire(blocking=False):
            raise ApiError(Reason.OVERLOADED, "Too many pages ask at once.")
        try:
            html = loader.render_to_string(self.template, self.context(request))
        finally:
            _places().release()
        version = hashlib.blake2b(html.encode(), digest_size=8).hexdigest()
        if request.query_params.get("version") == version:
            return HttpResponse(status=204)
        return HttpResponse(f'<input type="hidden" name="version" value="{version}">\n{html}')
