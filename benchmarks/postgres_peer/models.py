"""The two tables of the peer."""

from django.db import models


class Stock(models.Model):
    """A stock, and how many of its shares are left."""

    name = models.CharField(max_length=32, unique=True)
    price_cents = models.BigIntegerField()
    quantity = models.BigIntegerField()


class Order(models.Model):
    """An order; its id is the transaction number."""

    stock = models.ForeignKey(Stock, on_delete=models.PROTECT)
    order_type = models.CharField(max_length=4)
    quantity = models.BigIntegerField()
    price_cents = models.BigIntegerField()
    key = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
