// A page that runs: which cells run when, and what is said about it.
import { CellView } from './cell';
import { type Edits, keepEdits } from './edits';
import type { Kernel, Outcome } from './kernel';
import type { Renderer } from './outputs';
import type { Cell, OutputMessage, Page } from './protocol';
import { Status } from './status';
import { failure, words } from './words';

export { CellView } from './cell';

type ErrorMessage = Extract<OutputMessage, { type: 'error' }>;

/** How the cells of one press went. */
export interface Result {
  ok: boolean;
  /** The last of them: that failed, or was stopped. */
  outcome?: Outcome;
  error?: ErrorMessage;
}

export class LivePage {
  /** The cells that are shown, in order. */
  readonly cells: CellView[] = [];
  /** For MIME types that others know; what is put here counts from the next output on. */
  readonly renderers: Record<string, Renderer> = {};
  /** Called when a cell has run. */
  readonly onRan: ((view: CellView, result: Result) => void)[] = [];
  /** Called when the reader has changed a cell. */
  readonly onChange: ((view: CellView) => void)[] = [];
  /** Which cells *Run all* runs; an exercise leaves out those that are not solved yet. */
  atStart: () => CellView[] = () => this.cells;
  readonly status: Status;
  private readonly views = new Map<number, CellView>();
  private readonly edits: Edits;
  /** Hidden cells that have run since Python started. */
  private readonly hiddenRan = new Set<number>();
  private queue: Promise<unknown> = Promise.resolve();
  private pending = 0;
  /** Counts the ends of Python: what was asked for before does not run any more. */
  private lives = 0;
  private stopping = false;

  /**
   * @param root absolute address of the site
   * @param element the place at the top of the page that live.js has made
   */
  constructor(
    readonly data: Page,
    readonly kernel: Kernel,
    readonly root: string,
    element: HTMLElement,
  ) {
    this.status = new Status(element, {
      runAll: () => void this.runAll(),
      stop: () => void this.stop(),
      clearSaved: () => this.edits.askToClear(),
    });
    const keys = `dl-keys-${Math.random().toString(36).slice(2)}`;
    const told = document.createElement('p');
    told.id = keys;
    told.className = 'dl-keys';
    told.textContent = words.keys;
    element.append(told);
    for (const cell of data.cells) this.mount(cell, keys);
    this.edits = keepEdits(this);
    this.edits.restore();
    kernel.on('progress', ({ stage, text, done, all }) => {
      const line =
        stage === 'download' ? words.downloading(done, all) : stage === 'start' ? words.starting : words.unpacking(text.replace(/-.*/, ''));
      this.status.progress(line, done, all);
    });
    kernel.on('ready', () => this.status.progressDone());
    // A widget's callback can be stopped too.
    kernel.on('state', ({ state }) => this.status.busy(this.pending > 0 || state === 'busy'));
    kernel.on('failed', ({ reason, message }) => this.died(failure(reason, message)));
  }

  /** Starts Python and runs the cells, so that outputs and sliders come alive. */
  async start(): Promise<void> {
    this.status.say(words.loading);
    await this.runAll();
  }

  runAll(): Promise<Result> {
    return this.run(this.atStart(), true);
  }

  runAbove(view: CellView): Promise<Result> {
    return this.run(this.cells.slice(0, view.place - 1), false);
  }

  /** Runs cells after those asked for before; hidden cells above each go first. Never rejects. */
  run(views: CellView[], toEnd = false): Promise<Result> {
    const lives = this.lives;
    const asked = views.filter((view) => view.state !== 'waiting' && view.state !== 'running');
    asked.forEach((view) => view.set('waiting'));
    this.pending += 1;
    this.status.busy(true);
    const result = this.queue.then(() => (lives === this.lives ? this.perform(asked, toEnd) : { ok: false }));
    this.queue = result.finally(() => {
      asked.filter((view) => view.state === 'waiting').forEach((view) => view.set('notRun'));
      this.pending -= 1;
      if (this.pending === 0) this.status.busy(this.kernel.state === 'busy');
    });
    return result;
  }

  /** Ends what runs; Python starts again with nothing defined. */
  async stop(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.status.say(words.stopping);
    this.forget();
    try {
      await this.kernel.stop();
      this.status.say(words.stopped);
    } catch {
      this.status.say(words.stoppedOnly);
    }
    this.status.progressDone();
    this.stopping = false;
  }

  private mount(cell: Cell, keys: string): void {
    const element = document.querySelector<HTMLElement>(`div.cell[data-cell="${cell.n}"]`);
    if (!cell.shown || element === null) return;
    const view = new CellView(cell, element, this.cells.length + 1, keys, this.renderers, {
      run: (each, goOn) => {
        if (goOn) this.cells[each.place]?.focus();
        void this.run([each]);
      },
      runAbove: (each) => void this.runAbove(each),
      stop: () => void this.stop(),
      changed: (each) => {
        this.edits.keep(each);
        this.onChange.forEach((listener) => listener(each));
      },
      announce: (text) => this.status.say(text),
    });
    this.cells.push(view);
    this.views.set(cell.n, view);
  }

  private async perform(views: CellView[], toEnd: boolean): Promise<Result> {
    const [first] = views;
    if (first === undefined && !toEnd) return { ok: true };
    try {
      await this.kernel.start();
    } catch {
      // on('failed') has said why, or `stop` has begun anew.
      return { ok: false };
    }
    this.status.say(views.length === 1 && first ? words.runningOne(first.name) : words.runningAll(views.length));
    const life = this.lives;
    let result: Result = { ok: true };
    let seconds = 0;
    for (const view of views) {
      result = await this.runCell(view);
      if (!result.ok) return result;
      seconds = result.outcome?.seconds ?? 0;
    }
    if (toEnd) result = await this.runHidden(Infinity, words.lastHiddenCell);
    if (life !== this.lives || !result.ok) return result;
    this.status.say(views.length === 1 && first ? words.doneOne(first.name, seconds) : words.doneAll(views.length));
    return result;
  }

  private async runCell(view: CellView): Promise<Result> {
    view.set('running');
    view.outputs.begin();
    const hidden = await this.runHidden(view.cell.n, words.hiddenCell(view.place), view);
    const result = hidden.ok ? await this.send(view.source(), view.name, view) : hidden;
    const { status, seconds } = result.outcome ?? { status: 'failed', seconds: 0 };
    view.set(status === 'ok' ? 'done' : status === 'stopped' ? 'stopped' : 'failed', seconds);
    await view.outputs.end(status === 'ok' || status === 'error');
    if (status === 'stopped' || status === 'failed') view.ran = undefined;
    if (status === 'error') this.tellError(view, result.error);
    this.onRan.forEach((listener) => listener(view, result));
    return result;
  }

  /** Runs the hidden cells above a number that have not run since Python started; what they show is not shown. */
  private async runHidden(before: number, name: string, view?: CellView): Promise<Result> {
    for (const cell of this.data.cells) {
      if (cell.n >= before) break;
      if (this.views.has(cell.n) || this.hiddenRan.has(cell.n)) continue;
      const result = await this.send(cell.source, name, view, true);
      if (!result.ok) {
        if (view === undefined && result.error !== undefined) this.sayFailed(name, result.error);
        return result;
      }
      this.hiddenRan.add(cell.n);
    }
    return { ok: true };
  }

  private async send(code: string, name: string, view?: CellView, errorsOnly = false): Promise<Result> {
    let error: ErrorMessage | undefined;
    const outcome = await this.kernel.run(code, name, (message) => {
      if (message.type === 'error') error = message;
      if (!errorsOnly || message.type === 'error') view?.outputs.show(message);
    });
    return { ok: outcome.status === 'ok', outcome, ...(error === undefined ? {} : { error }) };
  }

  private tellError(view: CellView, error: ErrorMessage | undefined): void {
    if (error === undefined) return;
    this.sayFailed(view.name, error);
    const above = this.cells.slice(0, view.place - 1);
    if (error.ename === 'NameError' && above.some((each) => each.ran === undefined)) view.say(words.aboveMissing);
  }

  private sayFailed(name: string, error: ErrorMessage): void {
    const left = this.cells.some((each) => each.state === 'waiting');
    this.status.say((left ? words.failedAmong : words.failedOne)(name, error.ename), true);
  }

  private died(sentence: string): void {
    this.forget();
    const running = this.cells.find((view) => view.state === 'running');
    this.status.progressDone();
    this.status.say(sentence, true);
    // Said where the reader looks, when the cell has come to its end.
    if (running !== undefined) void this.queue.then(() => running.say(sentence));
  }

  /** Nothing is defined any more. */
  private forget(): void {
    this.lives += 1;
    this.hiddenRan.clear();
    this.cells.forEach((view) => (view.ran = undefined));
  }
}
