"""The site on a web host: nginx as the README says, below a path of its own; what goes over the wire, and the policy."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from dlcourse.publishing import hosting
from dlcourse.publishing.live import policy

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = pytest.mark.slow

README = Path(__file__).parents[3] / "README.md"
READY = 180_000  # ms; Python starts on a machine that other tests use too
CHAPTER = "book/neurons/neuron.html"
EXERCISE = "exercises/neurons/neuron.html"
STATUS = ".dl-live > [role=status]"
FIRST_RUN = 20_000_000
"""Bytes that may come before the first page has run."""
PYTHON = ("_static/live/pyodide/", "_static/live/python/")
CATCH = """globalThis.violations = [];
document.addEventListener('securitypolicyviolation', (each) =>
  violations.push(`${each.violatedDirective} ${each.blockedURI} ${each.sourceFile}:${each.lineNumber}`));"""


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, process.args
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not start")


class Nginx:
    """nginx with the README's server block, over a copy of the site below ``/course/``."""

    def __init__(self, program, site, folder):
        self.folder = folder
        self.port = free_port()
        self.root = folder / "srv"
        self.site = hosting.export(site, self.root / "course")
        block = re.search(r"```nginx\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
        block = block.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        block = block.replace("/srv/dlcourse/", f"{self.site}/").replace("/srv/dlcourse", str(self.root))
        places = "".join(
            f"{name}_temp_path {folder / name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = folder / "nginx.conf"
        configuration.write_text(
            ("user root;\n" if os.geteuid() == 0 else "")
            + f"daemon off;\npid {folder / 'pid'};\nerror_log stderr;\nevents {{}}\nhttp {{\n{places}"
            f"log_format sent '$status $bytes_sent $uri';\naccess_log {folder / 'log'} sent;\n{block}}}\n"
        )
        with (folder / "errors").open("w") as errors:
            self.process = subprocess.Popen(
                [program, "-e", "stderr", "-p", str(folder), "-c", str(configuration)],
                stdin=subprocess.DEVNULL,
                stderr=errors,
            )

    def sent(self):
        """Return status, bytes and name of what was sent since the last time."""
        log = self.folder / "log"
        time.sleep(0.2)  # a line is written after its answer has gone
        lines = [line.split(" ", 2) for line in log.read_text().splitlines()]
        log.write_text("")
        return [(int(status), int(count), name.removeprefix("/course/")) for status, count, name in lines]


@pytest.fixture(scope="module")
def nginx(live_folder, tmp_path_factory):
    if (program := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
        reason = "nginx was not found: install it"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    server = Nginx(program, live_folder, tmp_path_factory.mktemp("nginx"))
    try:
        wait_for(server.port, server.process)
        yield server
    finally:
        server.process.terminate()
        server.process.wait()


@pytest.fixture(scope="module")
def reader(chromium, nginx):
    """Somebody who visits the site for the first time."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(READY)
    context.add_init_script(CATCH)
    yield context
    context.close()


def run(reader, nginx):
    """Open a chapter, press the button, and wait until all cells have run."""
    page = reader.new_page()
    page.wrong = []
    page.on("console", lambda said: page.wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.goto(f"http://127.0.0.1:{nginx.port}/course/{CHAPTER}", wait_until="networkidle")
    page.locator(".dl-live .dl-start").click()
    expect(page.locator(STATUS)).to_contain_text("Done", timeout=READY)
    return page


def test_first_run_second_visit_and_policy(reader, nginx):
    page = run(reader, nginx)
    first = nginx.sent()
    assert {status for status, _, _ in first} <= {200, 304}
    assert sum(count for _, count, _ in first) <= FIRST_RUN
    assert any(name.startswith(PYTHON) for _, _, name in first)
    slider = page.locator(".dl-stepper").get_by_role("slider").first
    drawn = page.locator(".dl-stepper [role=img]:visible").first
    before = drawn.get_attribute("aria-label")
    slider.focus()
    slider.press("ArrowRight")
    expect(drawn).not_to_have_attribute("aria-label", before, timeout=READY)
    assert page.evaluate("violations") == page.wrong == []
    page.close()

    nginx.sent()
    page = run(reader, nginx)
    again = nginx.sent()
    assert [each for each in again if each[2].startswith(PYTHON)] == []
    # The rest is asked for, and has not changed.
    assert {status for status, _, _ in again} <= {200, 304}
    assert sum(count for status, count, _ in again if status == 200) < 100_000
    assert page.evaluate("violations") == page.wrong == []

    # What readers type does not get at the page, whatever the page shows of it.
    page.locator(".cm-content").last.focus()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(
        "import js\n"
        "from IPython.display import HTML, display\n"
        "display(HTML('<img src=x onerror=document.title=1><script>document.title=2</script><b>shown</b>'))\n"
        "js.document.title"
    )
    page.keyboard.press("Shift+Enter")
    expect(page.locator("article b", has_text="shown")).to_be_visible(timeout=READY)
    expect(page.locator("article")).to_contain_text("AttributeError: document")
    assert "neuron" in page.title()
    page.close()


def test_exercise_under_the_policy(reader, nginx):
    page = reader.new_page()
    page.goto(f"http://127.0.0.1:{nginx.port}/course/{EXERCISE}", wait_until="networkidle")
    page.keyboard.press("Shift")  # the first sign of a reader
    page.get_by_role("button", name="Check my answer").first.click()
    page.wait_for_selector('.dl-report[data-state="notYet"]')
    assert page.evaluate("violations") == []
    page.close()


def test_headers(nginx):
    def headers(name, **asked):
        with urlopen(Request(f"http://127.0.0.1:{nginx.port}/course/{name}", headers=asked)) as answer:
            return answer.headers

    for name in (CHAPTER, "_static/live/worker.js"):
        found = headers(name, **{"Accept-Encoding": "gzip"})
        assert found[policy.HEADER] == policy.policy(nginx.site)
        assert found["Content-Encoding"] == "gzip"
        assert found["ETag"]
    types = {"mjs": "text/javascript", "wasm": "application/wasm", "whl": "application/zip"}
    for ending, kind in types.items():
        path = next((nginx.site / "_static" / "live").rglob(f"*.{ending}"))
        assert headers(path.relative_to(nginx.site).as_posix())["Content-Type"] == kind


def test_python_serves_the_folder_too(nginx):
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=nginx.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(port, server)
            for name, kind in ((CHAPTER, "text/html"), ("_static/live/worker.js", "javascript")):
                with urlopen(f"http://127.0.0.1:{port}/course/{name}") as answer:
                    assert kind in answer.headers["Content-Type"]
                    assert answer.read() == (nginx.site / name).read_bytes()
        finally:
            server.terminate()
