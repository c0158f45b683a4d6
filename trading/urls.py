"""The routes. Each is valid with and without a trailing slash, and nothing is redirected.

Names and numbers are taken as they come, slashes included: the views say what is wrong with them.
"""

from django.urls import re_path

from trading.api import views
from trading.api.login import LoginView, LogoutView
from trading.api.schema.views import DocsView, SchemaView
from trading.dashboard import views as dashboard
from trading.events.view import EventsView
from trading.operator import views as operator_views

urlpatterns = [
    re_path(r"^\Z", dashboard.DashboardView.as_view()),
    re_path(r"^stocks/?\Z", views.StockListView.as_view()),
    re_path(r"^stocks/(?P<name>[\s\S]+?)/?\Z", views.StockView.as_view()),
    re_path(r"^orders/?\Z", views.OrderListView.as_view()),
    re_path(r"^orders/(?P<number>[\s\S]+?)/?\Z", views.OrderView.as_view()),
    re_path(r"^events/?\Z", EventsView.as_view()),
    re_path(r"^replicas/?\Z", operator_views.ReplicasView.as_view()),
    re_path(r"^replicas/switchover/?\Z", operator_views.SwitchoverView.as_view()),
    re_path(r"^replicas/(?P<replica_id>[^/]+)/resync/?\Z", operator_views.ResyncView.as_view()),
    re_path(r"^healthz/?\Z", operator_views.HealthView.as_view()),
    re_path(r"^metrics/?\Z", operator_views.MetricsView.as_view()),
    re_path(r"^readyz/?\Z", operator_views.ReadyView.as_view()),
    re_path(r"^schema/?\Z", SchemaView.as_view()),
    re_path(r"^docs/?\Z", DocsView.as_view()),
    re_path(r"^login/?\Z", LoginView.as_view()),
    re_path(r"^logout/?\Z", LogoutView.as_view()),
    re_path(r"^dashboard/stocks/?\Z", dashboard.StocksFragment.as_view()),
    re_path(r"^dashboard/orders/?\Z", dashboard.OrdersFragment.as_view()),
    re_path(r"^dashboard/replicas/?\Z", dashboard.ReplicasFragment.as_view()),
    re_path(r"^dashboard/failovers/?\Z", dashboard.FailoversFragment.as_view()),
    re_path(r"^dashboard/charts/?\Z", dashboard.ChartsFragment.as_view()),
    re_path(r"^", views.UnknownPathView.as_view()),
]
