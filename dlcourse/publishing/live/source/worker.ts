// The worker: starts Python, runs cells one after the other, and passes messages.
import { Downloads } from './downloads';
import { Failure } from './failure';
import { install as installFloats } from './floats';
import { importsOf } from './imports';
import { install as installProducts } from './products';
import type { CommMessage, FromWorker, Reason, ToWorker } from './protocol';
import { type Boot, type Overflow, type PyProxy, type Pyodide, Site } from './pyodide';

const PROGRESS_EVERY = 100; // milliseconds

let boot: Boot;
let pyodide: Pyodide;
let site: Site;
let dead = false;
let before: Promise<void> = Promise.resolve();

function post(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

function fail(reason: Reason, message: string): void {
  if (dead) return;
  dead = true;
  post({ type: 'failed', reason, message });
}

async function start({ root, manifest, needs }: Extract<ToWorker, { type: 'start' }>): Promise<void> {
  const began = performance.now();
  let told = 0;
  const downloads = new Downloads(root, manifest, (text, done, all) => {
    if (performance.now() - told < PROGRESS_EVERY && done < all) return;
    told = performance.now();
    post({ type: 'progress', stage: boot === undefined ? 'download' : 'packages', text, done, all });
  });
  site = new Site(manifest, downloads);
  try {
    pyodide = await site.start(needs);
    pyodide._api.on_fatal = (error) => fail(reasonOf(error), String(error));
    post({ type: 'progress', stage: 'start', text: 'Python', done: 1, all: 2 });
    installFloats(pyodide);
    boot = pyodide.pyimport('dlcourse_live.boot') as Boot;
    boot.start(send, site.names, site.unpackFor);
    await installProducts(pyodide as Pyodide & Parameters<typeof installProducts>[0]);
    (pyodide.pyimport('dlcourse_live.overflow') as Overflow).watch();
  } catch (error) {
    if (error instanceof Failure) fail(error.reason, error.message);
    else fail(reasonOf(error, 'start'), String(error));
    return;
  }
  post({ type: 'ready', seconds: (performance.now() - began) / 1000 });
}

/** Python's messages are dictionaries; their bytes become buffers. */
function send(proxy: PyProxy): void {
  const message = proxy.toJs({ dict_converter: Object.fromEntries, create_pyproxies: false }) as FromWorker;
  if (message.type !== 'comm' || message.buffers === undefined) return post(message);
  const views = message.buffers as unknown as Uint8Array<ArrayBuffer>[];
  const buffers = views.map((view) => view.slice().buffer);
  return post({ ...message, buffers }, buffers);
}

async function run({ id, code, name }: Extract<ToWorker, { type: 'run' }>): Promise<void> {
  await site.prepare(importsOf([code]));
  const began = performance.now();
  let status: 'ok' | 'error' = 'error';
  try {
    status = await boot.run_cell(id, code, name);
  } catch (error) {
    // Cells' own errors are told by Python: what comes out here is an end of Python itself.
    fail(reasonOf(error), String(error));
    return;
  }
  post({ type: 'done', id, status, seconds: (performance.now() - began) / 1000 });
}

function comm(message: CommMessage): void {
  try {
    boot.handle(pyodide.toPy(message));
  } catch (error) {
    fail(reasonOf(error), String(error));
  }
}

function reasonOf(error: unknown, otherwise: Reason = 'crash'): Reason {
  const said = String(error);
  if (/call stack|recursion/i.test(said)) return 'recursion';
  if (/out of memory|\bOOM\b|allocat|enlarge memory/i.test(said)) return 'memory';
  return otherwise;
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (dead) return;
  switch (data.type) {
    case 'start':
      before = start(data);
      break;
    case 'run':
      before = before.then(() => (dead ? undefined : run(data)));
      break;
    // Not behind the cells that wait: a cell that awaits lets widgets answer meanwhile.
    case 'comm':
      if (boot !== undefined) comm(data);
      break;
    case 'idle':
      post({ type: 'idle', n: data.n });
      break;
  }
};
