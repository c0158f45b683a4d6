"""The Django site of the frontend: its settings, routes and WSGI application."""
