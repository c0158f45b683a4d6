"""What machines ask by address: load balancers, orchestrators and Prometheus know no name of this site."""

import re

from django.http import HttpRequest, HttpResponseBase
from django.middleware.common import CommonMiddleware

# Without the first slash: the paths that SECURE_REDIRECT_EXEMPT is about, too.
PROBES = r"^(healthz|metrics|readyz)/?\Z"

_is_probe = re.compile(PROBES).match


class ServedHostMiddleware(CommonMiddleware):
    """Refuses a Host that is none of ALLOWED_HOSTS, or none at all, unless a probe is asked for: no answer to one
    depends on the name, and none holds a link."""

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        """Return None: the request goes on.

        Raises:
            DisallowedHost.
        """
        return None if _is_probe(request.path_info.lstrip("/")) else super().process_request(request)
