import io

import pytest

from frontend_site.chunked_bodies import ChunkedBodies


def run(most_bytes=10, **environ):
    """Return the length and the body that the application behind sees."""
    seen = []

    def application(environ, _start_response):
        length = environ.get("CONTENT_LENGTH")
        seen.append((length, environ["wsgi.input"].read(int(length or 0))))
        return []

    ChunkedBodies(application, most_bytes)(environ | {"wsgi.input": io.BytesIO(b"0123456789abcdef")}, lambda *_: None)
    return seen[0]


def test_body_in_chunks_gets_its_length():
    assert run(100, HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True}) == ("16", b"0123456789abcdef")


def test_large_body_in_chunks_is_cut_behind_the_bound():
    assert run(10, HTTP_TRANSFER_ENCODING="Chunked", **{"wsgi.input_terminated": True}) == ("11", b"0123456789a")


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": "4", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
        {"CONTENT_LENGTH": "4", "wsgi.input_terminated": True},
    ],
)
def test_announced_length_is_left_alone(environ):
    assert run(**environ) == ("4", b"0123")


def test_stream_that_the_server_does_not_end_is_not_read():
    assert run(HTTP_TRANSFER_ENCODING="chunked") == (None, b"")
