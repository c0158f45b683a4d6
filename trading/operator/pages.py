"""The operator's pages of the browsable API, with a button for what can be done there."""

from typing import Any

from trading.api.browsable import BrowsableRenderer


class ReplicasRenderer(BrowsableRenderer):
    """The replicas as a table: each follower can be resynced, or made the leader."""

    template = "trading/replicas.html"

    def get_context(self, data: Any, accepted_media_type: str, renderer_context: Any) -> dict[str, Any]:
        """Return what the page shows."""
        context = super().get_context(data, accepted_media_type, renderer_context)
        return context | {"status": data.get("data")}


class ResyncRenderer(BrowsableRenderer):
    """The last resync of one replica, and a button for the next."""

    template = "trading/resync.html"
