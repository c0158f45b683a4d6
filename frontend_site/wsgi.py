"""The WSGI application for a production server: `granian --interface wsgi frontend_site.wsgi:application`."""

import os
import sys

from django.core.wsgi import get_wsgi_application

from common.config import ConfigError
from common.logs import configure_logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frontend_site.settings")
configure_logs("frontend")

try:
    application = get_wsgi_application()
except ConfigError as error:
    sys.exit(f"frontend: {error}")
