"""The Django site of the frontend: its settings, routes, and its ASGI and WSGI applications."""
