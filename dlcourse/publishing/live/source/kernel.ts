// Python, as the page sees it: one worker, started when first needed, ended and started anew by `stop`.
import type { CommMessage, FromWorker, Manifest, OutputMessage, Reason } from './protocol';

/** `off`: not started or failed; the next `start` or `run` starts it. */
export type State = 'off' | 'starting' | 'idle' | 'busy';

/** How a run ended. `stopped`: by `stop`, or never begun because of it. `failed`: Python is gone. */
export interface Outcome {
  id: number;
  status: 'ok' | 'error' | 'stopped' | 'failed';
  seconds: number;
}

/** Why Python is not there; words.ts has the sentence. */
export class Failure extends Error {
  constructor(
    readonly reason: Reason,
    message: string,
  ) {
    super(message);
  }
}

/** What can be listened to: the worker's messages, and three events of the kernel itself. */
export interface Events {
  progress: Extract<FromWorker, { type: 'progress' }>;
  ready: Extract<FromWorker, { type: 'ready' }>;
  /** Every output of every cell, also those of widgets' callbacks after the cell is done. */
  output: OutputMessage;
  comm: CommMessage;
  failed: { reason: Reason; message: string };
  /** Definitions are gone because of `stop`; views of widgets are dead. */
  stopped: Record<never, never>;
  state: { state: State };
}

export class Kernel {
  state: State = 'off';

  /** @param root absolute address of `_static/live/` */
  constructor(
    readonly root: string,
    readonly needs: string[] = [],
  ) {}

  /** Resolves once cells can run; rejects with a Failure. Repeated calls wait for the same start. */
  start(): Promise<void> {
    return Promise.reject(new Failure('start', 'not built'));
  }

  /** Runs a cell after those asked for before; never rejects. Outputs go to `onOutput` and to on('output'). */
  run(_code: string, _name: string, _onOutput?: (message: OutputMessage) => void): Promise<Outcome> {
    return Promise.resolve({ id: 0, status: 'failed', seconds: 0 });
  }

  /** Ends the worker and starts a new one; runs that wait or are under way end as `stopped`. */
  async stop(): Promise<void> {}

  /** Listens; the returned function ends it. */
  on<K extends keyof Events>(_event: K, _listener: (event: Events[K]) => void): () => void {
    return () => {};
  }

  /** Sends a widget's message; resolves when Python has handled it (widgets throttle by that). */
  async comm(_message: Omit<CommMessage, 'type'>): Promise<void> {}

  /** Reads the site's manifest once. */
  async manifest(): Promise<Manifest> {
    throw new Failure('download', 'manifest.json');
  }
}
