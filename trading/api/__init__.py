"""The REST interface: requests, errors, cursors and limits, and the document that describes them."""
