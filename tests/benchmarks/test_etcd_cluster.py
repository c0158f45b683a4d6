"""Three members that only talk as etcd does: the second one leads, once all have been asked."""

import sys
from pathlib import Path

import pytest

from benchmarks.etcd_cluster import EtcdCluster
from deploy.systems.process import ProcessEnded

MEMBER = """#!{python}
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

given = dict(argument[2:].split("=", 1) for argument in sys.argv[1:])
member = given["name"][-1]
asked = 0


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        global asked
        self.rfile.read(int(self.headers["Content-Length"]))
        asked += 1
        told = {{"header": {{"member_id": member}}, "count": "17"}}
        body = json.dumps(told | {{"leader": "2"}} if asked > 1 else told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


host, _, port = given["listen-client-urls"].removeprefix("http://").rpartition(":")
assert given["initial-cluster"].count("http://") == 3
HTTPServer((host, int(port)), Handler).serve_forever()
"""


def program(folder: Path, text: str) -> str:
    path = folder / "etcd"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_the_leader_is_found_and_keys_are_counted(tmp_path: Path):
    with EtcdCluster(tmp_path / "data", program(tmp_path, MEMBER.format(python=sys.executable))) as cluster:
        assert cluster.leader == cluster.clients["etcd-2"]
        assert cluster.key_count() == 17
        assert cluster.cpu_s() > 0


def test_a_member_that_ends_is_told(tmp_path: Path):
    etcd = program(tmp_path, "#!/bin/sh\necho no such option\nexit 1\n")
    with pytest.raises(ProcessEnded, match="no such option"), EtcdCluster(tmp_path / "data", etcd):
        pass
