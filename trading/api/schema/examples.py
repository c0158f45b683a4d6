"""Examples of what the operations answer."""

from trading.api.representations import NUMBER_FIELDS
from trading.api.schema.components import KEY_EXAMPLE, TIME_EXAMPLE

ORDER = {
    **dict.fromkeys(NUMBER_FIELDS, 57),
    "name": "AAPL",
    "type": "buy",
    "quantity": 3,
    "price": 309.35,
    "price_decimal": "309.35",
    "status": "filled",
    "client_order_id": KEY_EXAMPLE,
    "created_at": TIME_EXAMPLE,
}
NEW_ORDER = {"name": "AAPL", "type": "buy", "quantity": 3}
STOCK = {"name": "AAPL", "price": 309.35, "price_decimal": "309.35", "quantity": 120}
PAGE = {
    "next": "/stocks?cursor=czE_YWZ0ZXI9QUFQTFTmoIw&limit=1",
    "next_cursor": "czE_YWZ0ZXI9QUFQTFTmoIw",
    "has_more": True,
}
ORDERS = {
    "data": [ORDER],
    "page": {"next": None, "next_cursor": None, "has_more": False, "latest": 61},
}

JOB = {
    "id": "0c1f5d52a7e94b03",
    "replica": 2,
    "state": "running",
    "done_number": 42,
    "target_number": 61,
    "started_at": TIME_EXAMPLE,
    "error": None,
}

REPLICAS = {
    "health": "ok",
    "min_in_sync": 1,
    "leader": 3,
    "epoch": 4,
    "last_number": 61,
    "catalog": {"address": "127.0.0.1:50052", "trades": True, "last_number": 61, "error": None, "findings": []},
    "health_loop": True,
    "replicas": [
        {
            "id": 3,
            "address": "127.0.0.1:50056",
            "role": "leader",
            "state": "in-sync",
            "last_number": 61,
            "lag": 0,
            "rtt_ms": 0.4,
            "last_seen": TIME_EXAMPLE,
            "error": None,
            "findings": [],
        }
    ],
}
