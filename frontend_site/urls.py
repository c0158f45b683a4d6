"""The site's routes: everything belongs to `trading`, errors outside of a view too."""

from django.urls import include, path

urlpatterns = [path("", include("trading.urls"))]

handler400 = "trading.api.exception_handler.bad_request"
handler403 = "trading.api.exception_handler.permission_denied"
handler404 = "trading.api.exception_handler.path_not_found"
handler500 = "trading.api.exception_handler.server_error"
