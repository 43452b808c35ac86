// Python, as the page sees it: one worker, started when first needed, ended and started anew by `stop`.
import { Failure } from './failure';
import type { CommMessage, FromWorker, Manifest, OutputMessage, Reason, ToWorker } from './protocol';

export { Failure } from './failure';
export { importsOf } from './imports';

/** `off`: not started, or failed; the next `start` or `run` starts it. */
export type State = 'off' | 'starting' | 'idle' | 'busy';

/** How a run ended. `stopped`: by `stop`, or never begun because of it. `failed`: Python is gone. */
export interface Outcome {
  id: number;
  status: 'ok' | 'error' | 'stopped' | 'failed';
  seconds: number;
}

/** What can be listened to: the worker's messages, and two events of the kernel itself. */
export interface Events {
  progress: Extract<FromWorker, { type: 'progress' }>;
  ready: Extract<FromWorker, { type: 'ready' }>;
  /** Every output of every cell, also those of widgets' callbacks after the cell is done. */
  output: OutputMessage;
  comm: CommMessage;
  /** Python is gone with all definitions; views of widgets are dead. */
  failed: { reason: Reason; message: string };
  /** The same because of `stop`, but it starts anew. */
  stopped: Record<never, never>;
  state: { state: State };
}

type Listener = (event: never) => void;

/** How long a widget's callback may take before it counts as busy, so that it can be stopped [ms]. */
const SLOW = 1000;

export class Kernel {
  state: State = 'off';
  private worker: Worker | undefined;
  private starting: Promise<void> | undefined;
  private settle: { resolve(): void; reject(failure: Failure): void } | undefined;
  private manifestRead: Promise<Manifest> | undefined;
  private readonly runs = new Map<number, (outcome: Outcome) => void>();
  private readonly outputs = new Map<number, (message: OutputMessage) => void>();
  private readonly idles = new Map<number, () => void>();
  private readonly listeners = new Map<keyof Events, Set<Listener>>();
  private last = 0;

  /**
   * @param root absolute address of `_static/live/`
   * @param needs names of modules that the page's cells import (`importsOf`): they are fetched while Python starts
   */
  constructor(
    readonly root: string,
    readonly needs: string[] = [],
  ) {}

  /** Resolves once cells can run; rejects with a Failure. Repeated calls wait for the same start. */
  start(): Promise<void> {
    this.starting ??= this.begin();
    return this.starting;
  }

  /**
   * Runs a cell after those asked for before; never rejects. A failure on the way is told by on('failed').
   *
   * @param name what tracebacks call the cell: "cell 3"
   * @param onOutput is given this cell's outputs, also later ones of its widgets' callbacks
   */
  run(code: string, name: string, onOutput?: (message: OutputMessage) => void): Promise<Outcome> {
    const id = ++this.last;
    return new Promise((resolve) => {
      this.runs.set(id, resolve);
      if (onOutput !== undefined) this.outputs.set(id, onOutput);
      this.start().then(
        // A run that was stopped meanwhile is not begun.
        () => {
          if (!this.runs.has(id)) return;
          this.post({ type: 'run', id, code, name });
          this.become('busy');
        },
        () => this.end(id, 'failed'),
      );
    });
  }

  /** Ends the worker and starts a new one; runs that wait or are under way end as `stopped`. */
  async stop(): Promise<void> {
    this.discard('stopped', new Failure('worker', 'stopped'));
    this.emit('stopped', {});
    // Whoever listens is told of a failure.
    await this.start().catch(() => {});
  }

  /** Listens; the returned function ends it. */
  on<K extends keyof Events>(event: K, listener: (event: Events[K]) => void): () => void {
    const all = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, all.add(listener as Listener));
    return () => all.delete(listener as Listener);
  }

  /** Sends a widget's message; resolves when Python has handled it (widgets throttle by that). */
  comm(message: Omit<CommMessage, 'type'>): Promise<void> {
    if (this.worker === undefined) return Promise.resolve();
    const n = ++this.last;
    const slow = setTimeout(() => this.become('busy'), SLOW);
    return new Promise((resolve) => {
      this.idles.set(n, () => {
        clearTimeout(slow);
        resolve();
      });
      this.post({ ...message, type: 'comm' }, message.buffers);
      this.post({ type: 'idle', n });
    });
  }

  /** Reads the site's manifest once. */
  manifest(): Promise<Manifest> {
    this.manifestRead ??= this.readManifest();
    this.manifestRead.catch(() => (this.manifestRead = undefined));
    return this.manifestRead;
  }

  private async readManifest(): Promise<Manifest> {
    const response = await fetch(new URL('manifest.json', this.root), { cache: 'no-cache' }).catch(() => undefined);
    if (response?.ok !== true) throw new Failure('download', 'manifest.json');
    return (await response.json()) as Manifest;
  }

  private async begin(): Promise<void> {
    this.become('starting');
    try {
      if (location.protocol === 'file:') throw new Failure('file', '');
      if (typeof WebAssembly !== 'object') throw new Failure('wasm', '');
      const worker = this.launch();
      const ready = new Promise<void>((resolve, reject) => (this.settle = { resolve, reject }));
      ready.catch(() => {});
      const manifest = await this.manifest();
      if (this.worker === worker) {
        this.post({ type: 'start', root: this.root, manifest, needs: this.needs });
      }
      await ready;
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure('worker', String(error));
      // `stop` has begun anew already.
      if (failure.message !== 'stopped') this.fail(failure);
      throw failure;
    }
  }

  private launch(): Worker {
    let worker: Worker;
    try {
      worker = new Worker(new URL(`worker.js?v=${VERSION}`, this.root), { type: 'module', name: 'Python' });
    } catch (error) {
      throw new Failure('worker', String(error));
    }
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.hear(data);
    worker.onmessageerror = () => this.fail(new Failure('crash', 'messageerror'));
    worker.onerror = (event) => {
      event.preventDefault();
      this.fail(new Failure(this.state === 'starting' ? 'worker' : 'crash', event.message ?? ''));
    };
    this.worker = worker;
    return worker;
  }

  private hear(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.become('idle');
        this.settle?.resolve();
        this.emit('ready', message);
        break;
      case 'done':
        this.end(message.id, message.status, message.seconds);
        this.rest();
        break;
      case 'idle':
        this.idles.get(message.n)?.();
        this.idles.delete(message.n);
        this.rest();
        break;
      case 'failed':
        this.fail(new Failure(message.reason, message.message));
        break;
      case 'progress':
        this.emit('progress', message);
        break;
      case 'comm':
        this.emit('comm', message);
        break;
      default:
        this.outputs.get(message.id)?.(message);
        this.emit('output', message);
    }
  }

  private rest(): void {
    if (this.state === 'busy' && this.runs.size === 0 && this.idles.size === 0) this.become('idle');
  }

  private fail(failure: Failure): void {
    const { reason, message } = failure;
    if (this.state === 'off') return;
    this.discard('failed', failure);
    this.become('off');
    this.emit('failed', { reason, message });
  }

  // Forgets the worker and all that waits for it.
  private discard(status: 'stopped' | 'failed', failure: Failure): void {
    this.worker?.terminate();
    this.worker = undefined;
    this.starting = undefined;
    this.settle?.reject(failure);
    this.settle = undefined;
    for (const id of [...this.runs.keys()]) this.end(id, status);
    for (const resolve of this.idles.values()) resolve();
    this.idles.clear();
    this.outputs.clear();
  }

  private end(id: number, status: Outcome['status'], seconds = 0): void {
    const run = this.runs.get(id);
    this.runs.delete(id);
    run?.({ id, status, seconds });
  }

  private post(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker?.postMessage(message, transfer);
  }

  private become(state: State): void {
    if (state === this.state) return;
    this.state = state;
    this.emit('state', { state });
  }

  private emit<K extends keyof Events>(event: K, value: Events[K]): void {
    for (const listener of this.listeners.get(event) ?? []) (listener as (event: Events[K]) => void)(value);
  }
}
