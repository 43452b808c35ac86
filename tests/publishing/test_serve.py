import socket
import threading
import urllib.request

import pytest

from dlcourse.publishing import PublishingError
from dlcourse.publishing.build import site_folder
from dlcourse.publishing.serve import HOST, make_server


@pytest.fixture
def site(tmp_path):
    site_folder(tmp_path).mkdir(parents=True)
    (site_folder(tmp_path) / "index.html").write_text("<p>a page</p>")
    return tmp_path


def test_site_is_served_on_this_machine_alone(site):
    with make_server(site, 0) as server:
        host, port = server.server_address
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/") as answer:
                assert answer.read() == b"<p>a page</p>"
                assert answer.headers["Cache-Control"] == "no-cache"
        finally:
            server.shutdown()
            thread.join()
    assert host == "127.0.0.1"


def test_no_site_yet(tmp_path):
    with pytest.raises(PublishingError, match="no site to show yet: run `dlcourse build` first"):
        make_server(tmp_path)


def test_port_in_use(site):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PublishingError, match=f"Port {port} is in use: choose .* --port {port + 1}`"):
            make_server(site, port)


def test_port_that_does_not_exist(site):
    with pytest.raises(PublishingError, match="Port 70000 does not exist: choose one from 1024 to 65535"):
        make_server(site, 70000)
