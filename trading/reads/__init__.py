"""What only shows: stocks through the cache, orders from any replica. Nothing here can lose or double an order."""
