"""Bodies that are no order, through the interface."""

import io
from codecs import BOM_UTF8

import pytest
from django.core.handlers.wsgi import WSGIRequest
from rest_framework.test import APIRequestFactory

from trading.api.errors import ApiError
from trading.api.parsers import SmallFormParser, StrictJSONParser


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "MALFORMED_JSON"),
        (b"buy", "MALFORMED_JSON"),
        (b'{"quantity": NaN}', "MALFORMED_JSON"),
        (b'{"quantity": -Infinity}', "MALFORMED_JSON"),
        (b'{"name": "A", "name": "B"}', "MALFORMED_JSON"),
        (b'{"name": "\xff"}', "MALFORMED_JSON"),
        (b"\xff\xfe{\x00}\x00", "MALFORMED_JSON"),
        (b"[" * 60_000, "MALFORMED_JSON"),
        (b'{"quantity": ' + b"9" * 5000 + b"}", "MALFORMED_JSON"),
        (b"", "VALIDATION_FAILED"),
        (b"null", "VALIDATION_FAILED"),
        (b"[]", "VALIDATION_FAILED"),
        (b"[1]", "VALIDATION_FAILED"),
        (b'"name"', "VALIDATION_FAILED"),
        (b"3", "VALIDATION_FAILED"),
        (b"{}", "VALIDATION_FAILED"),
        (b'{"name":"A","quantity":1e999,"type":"buy"}', "VALIDATION_FAILED"),
        (b" " * 70_000, "VALIDATION_FAILED"),
    ],
)
def test_body_that_is_no_order(rest, market, body, reason):
    response = rest.generic("POST", "/orders", body, content_type="application/json", headers={"Idempotency-Key": "k1"})
    error = response.json()["error"]
    assert (response.status_code, error["reason"]) == (400, reason)
    assert (error["outcome"], error["client_order_id"]) == ("not_executed", "k1")
    assert market.placed == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]
)
def test_body_of_10_mb_is_refused_unread(rest, content_type):
    response = rest.generic("POST", "/orders", b"n" * 10_000_000, content_type=content_type)
    error = response.json()["error"]
    assert (response.status_code, error["reason"]) == (400, "VALIDATION_FAILED")
    assert "65536" in error["message"]


ORDER = b'{"name": "BlueFinch", "type": "buy", "quantity": 3}'


def test_byte_order_mark_is_passed_over(rest, market):
    response = rest.generic("POST", "/orders", BOM_UTF8 + ORDER, content_type="application/json")
    assert response.status_code == 201


@pytest.mark.parametrize("body", [ORDER, b" \n" + ORDER, BOM_UTF8 + ORDER, b"[" + ORDER + b"]", b"{"])
@pytest.mark.parametrize("path", ["/orders", "/replicas/switchover", "/replicas/2/resync"])
def test_json_that_is_called_a_form_is_told_which_header_to_send(operator, market, path, body):
    response = operator.generic("POST", path, body, content_type="application/x-www-form-urlencoded")
    error = response.json()["error"]
    assert (response.status_code, [one["field"] for one in error["details"]]) == (400, ["Content-Type"])
    assert error["message"].endswith("Send JSON with the header 'Content-Type: application/json'.")
    assert market.placed == []


@pytest.mark.parametrize("content_type", ["", "text/plain", "text/plain;charset=UTF-8", "application/xml", "nonsense"])
def test_body_of_another_type_is_told_which_header_to_send(rest, market, content_type):
    response = rest.generic("POST", "/orders", ORDER, content_type=content_type)
    error = response.json()["error"]
    assert (response.status_code, [one["field"] for one in error["details"]]) == (415, ["Content-Type"])
    assert "Content-Type: application/json" in error["message"]
    assert market.placed == []


@pytest.mark.parametrize("parser", [StrictJSONParser(), SmallFormParser()])
def test_body_without_an_announced_length_is_read_only_up_to_the_bound(parser, settings):
    request: WSGIRequest = APIRequestFactory().post("/orders")
    request.META["CONTENT_LENGTH"] = ""
    stream = io.BytesIO(b"n" * 10_000_000)
    with pytest.raises(ApiError, match="at most 65536"):
        parser.parse(stream, "", {"request": request})
    assert stream.tell() == settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "nonsense", "multipart/form-data"])
def test_other_content_types(rest, content_type):
    response = rest.generic("POST", "/orders", b"name=A", content_type=content_type)
    code = response.status_code
    assert code == response.json()["error"]["code"]
    assert code == (400 if content_type.startswith("multipart") else 415)
    assert response.json()["error"]["outcome"] == "not_executed"


def test_form_of_too_many_fields_is_refused(rest):
    body = "&".join(f"x{number}=1" for number in range(200))
    response = rest.post("/orders", body, content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["error"]["reason"]) == (400, "VALIDATION_FAILED")
