"""The WSGI application for a production server: `granian --interface wsgi frontend_site.wsgi:application`."""

import os
import sys

from django.conf import settings
from django.core.checks.urls import check_url_config
from django.core.wsgi import get_wsgi_application

from common.process.config import ConfigError
from common.process.logs import configure_logs
from frontend_site.chunked_bodies import ChunkedBodies

os.environ["DJANGO_SETTINGS_MODULE"] = "frontend_site.settings"

try:
    configure_logs("frontend")
    _django = get_wsgi_application()
    # Loads all views, which the first request that Django answers would wait for.
    check_url_config(None)
except ConfigError as error:
    sys.exit(f"frontend: {error}")

# Imported now: it needs the settings.
from trading.api.plain_requests import PlainRequests

application = PlainRequests(ChunkedBodies(_django, settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
