"""Stocks and orders for all who ask: services over the stock cache and the way of an order. Knows no HTTP."""
