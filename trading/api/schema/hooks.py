"""Where drf-spectacular cannot know: the paths behind our patterns, and who may call."""

from typing import Any

from trading.accounts.account import OPEN, OPERATOR
from trading.api.request_metrics import route_of

_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}, {}]


def name_paths(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Return the endpoints with the path of each as people write it; those that have none are left out."""
    named = []
    for _path, pattern, method, callback in endpoints:
        if pattern.endswith(r"\Z"):
            named.append((route_of(pattern), pattern, method, callback))
    return named


def complete(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Return the document, with who may call each operation, and that bodies are needed; a sandbox asks nobody."""
    for operations in result["paths"].values():
        for method, operation in operations.items():
            role = operation.pop("x-role")
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
            operation["security"] = [] if role == OPEN else _SECURITY
            if role == OPERATOR and method == "post":
                operation["security"] = _SECURITY[:-1]  # a sandbox asks for its operator key
            told = "Needs no token." if role == OPEN else f"Role: {role}."
            operation["description"] = " ".join(filter(None, [operation.get("description"), told]))
    return result
