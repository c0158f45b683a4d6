"""The ASGI application, which deploy/frontend.py serves: the edge, and Django behind it."""

from frontend_site.wsgi import application as django

# Imported now: it needs the settings.
from trading.edge.application import Edge

application = Edge(django)
