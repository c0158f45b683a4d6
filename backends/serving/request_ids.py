"""The id of the request that a call is made for, taken from the call's metadata."""

from collections.abc import Callable
from typing import Any

import grpc

from common.process.request_context import METADATA_KEY, VALID_REQUEST_ID, work_for


class RequestIds(grpc.ServerInterceptor):
    """Has each call's handler, and what it calls itself, work for the request that the caller named.

    gRPC runs an interceptor and then the handler, in another thread, in one context of the call's own.
    """

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Note the id, if there is a valid one, and go on."""
        for key, value in handler_call_details.invocation_metadata:
            if key == METADATA_KEY and isinstance(value, str) and VALID_REQUEST_ID.fullmatch(value):
                work_for(value)
        return continuation(handler_call_details)
