"""Python in a browser, without a page of the book around it: one start serves most tests."""

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dlcourse.publishing.live import shipping

pytestmark = pytest.mark.slow

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Kernel</title>
<script type="module">
import { Kernel } from './_static/live/run.js';
window.start = (needs = []) => {
  const told = { progress: 0, failed: [], stopped: 0, states: [] };
  const kernel = new Kernel(new URL('_static/live/', location).href, needs);
  kernel.on('progress', () => told.progress++);
  kernel.on('failed', ({ reason, message }) => told.failed.push([reason, message]));
  kernel.on('stopped', () => told.stopped++);
  kernel.on('state', ({ state }) => told.states.push(state));
  Object.assign(window, { kernel, told });
};
window.run = async (code, name = 'cell 1') => {
  const messages = [];
  const outcome = await kernel.run(code, name, (message) => messages.push(message));
  return { ...outcome, messages };
};
window.stopSoon = async (code) => {
  const printed = new Promise((resolve) => kernel.on('output', resolve));
  const run = window.run(code);
  const waiting = window.run('print("never")');
  await printed;
  await kernel.stop();
  return [(await run).status, (await waiting).status];
};
window.ready = true;
</script>"""


class Server(ThreadingHTTPServer):
    """The site, with a note of what it sent, and answers that are not what they should be."""

    def __init__(self, folder):
        self.sent = []
        self.wrong = {}
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))


class Handler(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        package = name.partition("-")[0]
        if package not in self.server.wrong:
            super().do_GET()
        elif (content := self.server.wrong[package]) is None:
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def copyfile(self, source, outputfile):
        self.server.sent.append(self.path.rpartition("/")[2])
        super().copyfile(source, outputfile)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel")
    shipping.add_scripts(folder)
    if why := shipping.ship(folder):
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def context(chromium):
    context = chromium.new_context()
    context.set_default_timeout(240_000)
    yield context
    context.close()


def opened(context, server):
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    page.wait_for_function("window.ready === true")
    return page


@pytest.fixture(scope="module")
def page(context, server):
    page = opened(context, server)
    page.evaluate("start(['matplotlib'])")
    yield page
    page.close()


def run(page, code, name="cell 1"):
    return page.evaluate("([code, name]) => run(code, name)", [code, name])


def printed(result, name="stdout"):
    return "".join(m["text"] for m in result["messages"] if m["type"] == "stream" and m["name"] == name)


def shown(result):
    return [m["data"] for m in result["messages"] if m["type"] == "display"]


def test_cells_share_their_names_and_show_their_last_value(page):
    first = run(page, "import numpy as np\nprint('before')\nx = np.arange(3.0)\nx @ x")
    assert first["status"] == "ok", first
    assert printed(first) == "before\n"
    assert shown(first) == [{"text/plain": "np.float64(5.0)"}]
    assert shown(run(page, "x = x + 1;\n__name__, float(x.sum())")) == [{"text/plain": "('__main__', 6.0)"}]
    assert shown(run(page, "x;")) == []
    assert page.evaluate("told.progress") > 0
    assert page.evaluate("told.states").count("busy") >= 1
    assert page.evaluate("kernel.state") == "idle"


def test_await_and_the_course_are_there(page):
    code = "import asyncio\nfrom dlcourse.neurons import neuron\nawait asyncio.sleep(0.01)\nneuron.__name__"
    assert shown(run(page, code)) == [{"text/plain": "'dlcourse.neurons.neuron'"}]


def test_output_comes_while_the_cell_runs(page):
    times = page.evaluate(
        """async () => {
          const at = [];
          const began = performance.now();
          await kernel.run('import time\\nfor i in range(3):\\n    print(i)\\n    time.sleep(0.3)', 'cell 1',
            () => at.push(performance.now() - began));
          return [at, performance.now() - began];
        }"""
    )
    assert len(times[0]) == 3
    assert times[1] - times[0][0] > 600


def test_an_error_points_into_the_cell(page):
    code = "def halve(x):\n    return x / 0\n\nhalve(1)"
    (error,) = run(page, code, "cell 7")["messages"]
    assert (error["ename"], error["evalue"]) == ("ZeroDivisionError", "division by zero")
    text = "\n".join(error["traceback"])
    assert "cell 7, line 4" in text
    assert "cell 7, line 2, in halve" in text
    assert "return x / 0" in text
    assert "boot.py" not in text
    again = run(page, "import inspect\nprint(inspect.getsource(halve), end='')")
    assert printed(again) == "def halve(x):\n    return x / 0\n"


@pytest.mark.parametrize(
    ("code", "ename"),
    [
        ("def f(): return f()\nf()", "RecursionError"),
        ("import sys\nsys.exit(3)", "SystemExit"),
        ("input('name?')", "RuntimeError"),
        ("import numpy\nx = [numpy.empty(2 * 10**8) for _ in range(3)]", "MemoryError"),
        ("x = (", "SyntaxError"),
        ("import torch", "ModuleNotFoundError"),
    ],
)
def test_what_goes_wrong_ends_the_cell_only(page, code, ename):
    result = run(page, code)
    assert result["status"] == "error", result
    told = result["messages"][-1]
    assert ename in told["ename"]
    assert shown(run(page, "1 + 1")) == [{"text/plain": "2"}]


def test_a_flood_is_cut_off(page):
    result = run(page, "for i in range(100_000):\n    print('x' * 999)\nprint('end')")
    assert result["status"] == "ok"
    assert len(printed(result)) == 1_000_000
    assert [m["cut"] for m in result["messages"] if "cut" in m] == [1_000_000]
    assert len(result["messages"]) < 2000
    assert printed(run(page, "print('next')")) == "next\n"


def test_figures_left_open_are_shown_after_their_cell(page):
    first = run(page, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('drawn');")
    assert first["status"] == "ok", first
    assert printed(first, "stderr") == ""
    (figure,) = [data for data in shown(first) if "image/png" in data]
    assert figure["image/png"].startswith("iVBOR")
    assert first["messages"][-1]["type"] == "display"
    assert shown(run(page, "plt.get_fignums()")) == [{"text/plain": "[]"}]
    called = run(page, "fig, ax = plt.subplots()\nplt.show()\nprint('after')")
    assert [m["type"] for m in called["messages"]] == ["display", "stream"]


def test_a_wrong_wheel_fails_the_cell_that_imports_it(page, server):
    server.wrong = {"libraries": b"not the wheel"}
    try:
        result = run(page, "import tqdm")
    finally:
        server.wrong = {}
    assert result["messages"][-1]["ename"] == "ImportError"
    assert "is not the file that it should be" in result["messages"][-1]["evalue"]


def test_displays_are_replaced_and_cleared(page):
    code = """
from IPython.display import HTML, clear_output, display
handle = display(HTML("<b>1</b>"), display_id=True)
handle.update(HTML("<b>2</b>"))
clear_output(wait=True)
import sys
for percent in (50, 100):
    print(f"\\r{percent}%", end="", file=sys.stderr, flush=True)
"""
    result = run(page, code)
    assert result["status"] == "ok", result
    first, second, clear, *_ = result["messages"]
    assert first["data"]["text/html"] == "<b>1</b>"
    assert (second["update"], second["display_id"]) == (True, first["display_id"])
    assert (clear["type"], clear["wait"]) == ("clear", True)
    assert printed(result, "stderr") == "\r50%\r100%"


def test_stop_ends_an_endless_loop_and_begins_anew(page):
    statuses = page.evaluate("stopSoon('kept = 1\\nprint(kept)\\nwhile True: pass')")
    assert statuses == ["stopped", "stopped"]
    assert page.evaluate("told.stopped") == 1
    result = run(page, "kept")
    assert result["messages"][-1]["ename"] == "NameError"


def test_a_second_start_downloads_nothing_anew(page, server):
    # A browser without a profile keeps its cache in memory, where the largest file has no place.
    again = {name for name in server.sent if server.sent.count(name) > 1} - {"pyodide.asm.wasm"}
    assert again == set()
    assert "pyodide.mjs" in server.sent


def test_an_end_of_python_is_told_once(page):
    result = run(page, "import ctypes\nctypes.string_at(-8)")
    assert result["status"] == "failed"
    assert [reason for reason, _ in page.evaluate("told.failed")] == ["crash"]
    assert page.evaluate("kernel.state") == "off"


@pytest.mark.parametrize(("content", "reason"), [(b"not the wheel", "checksum"), (None, "download")])
def test_a_wrong_file_is_named_and_not_used(chromium, server, content, reason):
    context = chromium.new_context()
    try:
        server.wrong = {"numpy": content}
        page = opened(context, server)
        page.evaluate("start()")
        assert run(page, "1")["status"] == "failed"
        ((told, name),) = page.evaluate("told.failed")
        assert told == reason
        assert name.startswith("numpy-")
    finally:
        server.wrong = {}
        context.close()
