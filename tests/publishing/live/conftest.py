import os
import threading
from pathlib import Path

import pytest

from dlcourse.publishing.build import site_folder
from dlcourse.publishing.live.shipping import read_manifest
from dlcourse.publishing.serve import HOST, make_server


@pytest.fixture(scope="session")
def built_course(request):
    """A copy of the course in which the book was built; DLCOURSE_TEST_BOOK can name one that is there already."""
    if chosen := os.environ.get("DLCOURSE_TEST_BOOK"):
        return Path(chosen)
    book = request.getfixturevalue("book")
    assert book.status == 0, book.said
    return book.folder


@pytest.fixture(scope="session")
def live_folder(built_course):
    """The folder of the built site, with Python in it."""
    folder = site_folder(built_course)
    if read_manifest(folder)["core"].startswith("https:"):
        reason = "Pyodide could not be fetched, so pages do not run without other hosts"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def live_site(live_folder, built_course):
    """The address of a server over the built site, without a slash at the end."""
    with make_server(built_course, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()
        thread.join()
