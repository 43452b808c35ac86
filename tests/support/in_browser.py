"""Python as the pages that run have it, without a page around it."""

RUN = """async ({ root, code }) => {
  const manifest = await (await fetch(root + 'manifest.json')).json();
  const worker = new Worker(root + 'worker.js', { type: 'module' });
  const said = [];
  try {
    return await new Promise((resolve) => {
      worker.onmessage = ({ data }) => {
        if (data.type === 'ready') worker.postMessage({ type: 'run', id: 1, code, name: 'cell 1' });
        if (data.type === 'stream') said.push(data.text);
        if (data.type === 'error') said.push(data.evalue, ...data.traceback);
        if (data.type === 'failed') resolve({ status: data.reason, said: data.message });
        if (data.type === 'done') resolve({ status: data.status, said: said.join('') });
      };
      worker.postMessage({ type: 'start', root, manifest, needs: [] });
    });
  } finally {
    worker.terminate();
  }
}"""


def run_in_browser(browser, site, code):
    """Run a cell in a browser, in a Python of its own: its status, and what it printed."""
    page = browser.new_page()
    page.goto(f"{site}/book/index.html")
    result = page.evaluate(RUN, {"root": f"{site}/_static/live/", "code": code})
    page.close()
    return result
