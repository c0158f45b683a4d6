"""The routes of the panels; that of the page itself is in trading.urls."""

from django.urls import re_path

from trading.dashboard import views

urlpatterns = [
    re_path(r"^dashboard/stocks/?\Z", views.StocksFragment.as_view()),
    re_path(r"^dashboard/orders/?\Z", views.OrdersFragment.as_view()),
    re_path(r"^dashboard/replicas/?\Z", views.ReplicasFragment.as_view()),
    re_path(r"^dashboard/failovers/?\Z", views.FailoversFragment.as_view()),
    re_path(r"^dashboard/charts/?\Z", views.ChartsFragment.as_view()),
]
