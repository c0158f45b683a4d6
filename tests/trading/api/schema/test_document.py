"""The OpenAPI document."""

import io
import json

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator

from common.calls.reasons import Reason
from trading.api.schema.errors import example

# Given to what no operation of the document is asked for.
ELSEWHERE = {"PATH_NOT_FOUND", "METHOD_NOT_ALLOWED"}
# By the name that callers know; of several reasons with one name the first stands for all.
TOLD = {reason.told_as: reason for reason in reversed(Reason) if reason.http is not None}


@pytest.fixture(scope="module")
def document():
    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=out)
    return json.loads(out.getvalue())


def operations(document):
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_document_is_valid_and_served(document, rest):
    served = rest.get("/schema")
    assert served["Content-Type"] == "application/json"
    assert served.json() == document
    assert document["openapi"].startswith("3.")


def examples(document):
    """Each example of a body or an answer, and the schema that it is an example of."""
    for path, method, operation in operations(document):
        bodies = {"sent": operation.get("requestBody", {}), **operation["responses"]}
        for code, body in bodies.items():
            for content in body.get("content", {}).values():
                for name, shown in content.get("examples", {}).items():
                    yield f"{method} {path} {code} {name}", shown["value"], content["schema"]


def test_every_example_is_valid_by_its_schema(document):
    checked = list(examples(document))
    assert len(checked) > 100
    components = {"components": document["components"]}
    wrong = [
        f"{where}: {error.message}"
        for where, value, schema in checked
        for error in Draft202012Validator(components | schema).iter_errors(value)
    ]
    assert wrong == []


def test_every_path_that_is_routed_is_in_it(document):
    expected = [
        "/",
        "/docs",
        "/events",
        "/healthz",
        "/orders",
        "/orders/{number}",
        "/readyz",
        "/replicas",
        "/schema",
        "/stocks",
    ]
    assert set(expected) <= set(document["paths"])


def test_every_reason_has_a_code_an_example_and_an_operation(document):
    told = {
        (int(code), named["value"]["error"]["reason"])
        for _path, _method, operation in operations(document)
        for code, response in operation["responses"].items()
        if int(code) >= 400
        for named in response["content"]["application/json"]["examples"].values()
    }
    assert {reason for _code, reason in told} == set(TOLD) - ELSEWHERE
    assert {(TOLD[reason].http, reason) for _code, reason in told} == told


def test_what_is_posted_to_needs_a_body_where_it_takes_one(document):
    taking = {
        path: operation["requestBody"]["required"]
        for path, _, operation in operations(document)
        if "requestBody" in operation
    }
    assert taking == {"/orders": True, "/replicas/switchover": True}


def test_every_answer_carries_the_request_id(document):
    for path, method, operation in operations(document):
        for code, response in operation["responses"].items():
            assert response["headers"]["X-Request-Id"]["required"] is True, (path, method, code)


@pytest.mark.parametrize("name", sorted(TOLD))
def test_there_is_an_example_of_every_error(name):
    error = example(TOLD[name], of_order=False)["error"]
    assert error["code"] == TOLD[name].http
    assert error["message"]


def test_health_needs_no_token_and_everything_else_may(document):
    for path, _method, operation in operations(document):
        is_open = path in ("/healthz", "/readyz")
        assert (operation["security"] == []) is is_open, path


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_docs_is_a_page_for_browsers_and_names_the_document_to_programs(rest, path):
    page = rest.get(path, headers={"Accept": "text/html"}).content.decode()
    assert "swagger-ui-bundle.js" in page
    assert "http://" not in page
    assert "https://" not in page
    assert rest.get(path).json() == {"data": {"schema": "/schema"}}


def test_files_of_the_docs_are_served_from_here(rest):
    for name in ("drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js", "trading/docs.js"):
        assert rest.get(f"/static/{name}").status_code == 200
