"""Django as a WSGI application: what `manage.py runserver` serves, and the edge asks (frontend_site/asgi.py)."""

import os
import sys

from django.core.checks.urls import check_url_config
from django.core.wsgi import get_wsgi_application

from common.process.config import ConfigError
from common.process.logs import configure_logs

os.environ["DJANGO_SETTINGS_MODULE"] = "frontend_site.settings"

try:
    configure_logs("frontend")
    application = get_wsgi_application()
    # Loads all views, which the first request that Django answers would wait for.
    check_url_config(None)
except ConfigError as error:
    sys.exit(f"frontend: {error}")
