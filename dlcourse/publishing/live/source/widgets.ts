// Widgets whose models are in Python: each change of a control goes to the worker, each answer to the views.
import type { WidgetView } from '@jupyter-widgets/base';
import type { ManagerBase } from '@jupyter-widgets/base-manager';
import type { Kernel } from './kernel';
import { OutputArea, type Renderer } from './outputs';
import type { Bundle, CommMessage, OutputMessage } from './protocol';
import { sanitized } from './sanitize';
import { words } from './words';

/** What manager.js of the saved widgets offers: a page needs it once, for both. */
interface Offered {
  /** `loadClass` knows ipywidgets' own classes. */
  Manager: new () => ManagerBase & { loadClass: never };
  attach(view: WidgetView, host: HTMLElement): void;
}

declare global {
  interface Window {
    dlcourseWidgets?: { load(): Promise<Offered> };
  }
}

/** An output as Output areas keep it: that of notebooks' files. */
type Output =
  | { output_type: 'stream'; name: 'stdout' | 'stderr'; text: string }
  | { output_type: 'display_data'; data: Bundle; metadata: Bundle; transient?: { display_id: string } }
  | { output_type: 'error'; ename: string; evalue: string; traceback: string[] };

type Handler = (message: object) => unknown;
/** What a model wants to be told about a message that it sent. */
interface Callbacks {
  iopub?: { status?: Handler };
}

const LONGEST_WAIT = 10_000; // milliseconds
const VIEW = 'application/vnd.jupyter.widget-view+json';

export class LiveWidgets {
  private manager: Promise<LiveManager> | undefined;
  private readonly comms = new Map<string, LiveComm>();
  private readonly shown = new Set<{ host: HTMLElement; view: WidgetView }>();
  private order: Promise<unknown> = Promise.resolve();

  /** @param renderers for what Output areas hold: widgets are added, reports of checks may be */
  constructor(
    readonly kernel: Kernel,
    readonly renderers: Record<string, Renderer> = {},
  ) {
    renderers[VIEW] = async (value, host) => {
      const id = (value as { model_id?: unknown }).model_id;
      if (typeof id === 'string') await this.render(id, host);
      return typeof id === 'string';
    };
    kernel.on('comm', (message) => {
      // A model is made before its next message comes; one that cannot be made does not hold up the others.
      this.order = this.order.then(() => this.receive(message)).catch((error: unknown) => console.error(error));
    });
    kernel.on('stopped', () => this.end());
    kernel.on('failed', () => this.end());
  }

  /** Shows a widget in a place that is in the page. */
  async render(modelId: string, host: HTMLElement): Promise<void> {
    await this.order;
    const manager = await this.started();
    const view = (await manager.create_view(await manager.get_model(modelId))) as WidgetView;
    this.forget();
    // What an Output area holds is made before the area has its place.
    for (let waited = 0; !host.isConnected && waited < LONGEST_WAIT; waited += 50) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (!host.isConnected) return;
    host.replaceChildren();
    manager.attach(view, host);
    this.shown.add({ host, view });
  }

  /** Ends the views whose place has gone from the page. */
  private forget(): void {
    const gone = [...this.shown].filter(({ host }) => !host.isConnected);
    if (gone.length === 0) return;
    // Lumino ends only what is in the page.
    const stage = document.createElement('div');
    stage.hidden = true;
    document.body.append(stage);
    for (const each of gone) {
      this.shown.delete(each);
      stage.append(each.host);
      each.view.remove();
    }
    stage.remove();
  }

  private started(): Promise<LiveManager> {
    this.manager ??= load(new URL('../widgets/widgets.js', this.kernel.root).href).then((offered) =>
      made(offered, this.kernel, this.renderers, this.comms),
    );
    this.manager.catch(() => (this.manager = undefined));
    return this.manager;
  }

  private async receive(message: CommMessage): Promise<void> {
    const buffers = message.buffers?.map((each) => new DataView(each)) ?? [];
    const whole = { content: message, metadata: message.metadata, buffers, parent_header: parent(message) };
    if (message.kind === 'open' && message.target === 'jupyter.widget') {
      const comm = new LiveComm(message.comm_id, this.kernel, message.parent);
      this.comms.set(message.comm_id, comm);
      await (await this.started()).handle_comm_open(comm as never, whole as never);
    } else if (message.kind === 'msg') {
      this.comms.get(message.comm_id)?.onMessage(whole);
    } else if (message.kind === 'close') {
      this.comms.get(message.comm_id)?.onClose(whole);
      this.comms.delete(message.comm_id);
    }
  }

  /** Python is gone: what is shown stays as it is. */
  private end(): void {
    for (const { host } of this.shown) {
      if (!host.isConnected) continue;
      host.inert = true;
      host.classList.add('dl-stale');
      host.title = words.widgetEnded;
    }
    this.shown.clear();
    this.comms.clear();
    this.manager = undefined;
    this.order = Promise.resolve();
  }
}

type LiveManager = ReturnType<typeof made>;

function made(
  { Manager, attach }: Offered,
  kernel: Kernel,
  renderers: Record<string, Renderer>,
  comms: Map<string, LiveComm>,
) {
  return new (class extends Manager {
    readonly attach = attach;
    private readonly areas = new WeakMap<HTMLElement, { area: OutputArea; outputs: Output[] }>();

    override async _create_comm(target: string, id: string, data?: unknown, metadata?: unknown): Promise<never> {
      const comm = new LiveComm(id, kernel);
      comms.set(id, comm);
      await kernel.comm({ comm_id: id, kind: 'open', target, data, metadata: metadata as Record<string, unknown> });
      return comm as never;
    }

    override _get_comm_info(): Promise<never> {
      return Promise.resolve({} as never);
    }

    override inline_sanitize(markup: string): string {
      const element = document.createElement('span');
      element.append(sanitized(markup));
      return element.innerHTML;
    }

    showMarkup(element: HTMLElement, markup: string): void {
      element.replaceChildren(sanitized(markup));
    }

    showOutputs(element: HTMLElement, outputs: Output[]): void {
      const kept = this.areas.get(element) ?? { area: new OutputArea(renderers), outputs: [] };
      if (!this.areas.has(element)) element.replaceChildren(kept.area.element);
      this.areas.set(element, { area: kept.area, outputs });
      const news = added(kept.outputs, outputs);
      if (news === undefined && outputs.length === 0) kept.area.clear();
      // What was there stays until the next takes its place: a figure that a slider moves does not flicker.
      else if (news === undefined) kept.area.show({ type: 'clear', id: 0, wait: true });
      (news ?? outputs).forEach((each) => kept.area.show(asMessage(each)));
    }
  })();
}

/** One end of a comm, as models use it. */
class LiveComm {
  onMessage: Handler = () => {};
  onClose: Handler = () => {};
  private static sent = 0;

  /** @param parent the cell that gets what callbacks print */
  constructor(
    readonly comm_id: string,
    private readonly kernel: Kernel,
    private readonly parent?: number,
  ) {}

  readonly target_name = 'jupyter.widget';

  on_msg(handler: Handler): void {
    this.onMessage = handler;
  }

  on_close(handler: Handler): void {
    this.onClose = handler;
  }

  send(data: unknown, callbacks?: Callbacks, _metadata?: unknown, buffers?: (ArrayBuffer | ArrayBufferView)[]): string {
    LiveComm.sent += 1;
    const number = String(LiveComm.sent);
    const message = {
      comm_id: this.comm_id,
      kind: 'msg' as const,
      data: JSON.parse(JSON.stringify(data)) as unknown,
      metadata: { number },
      buffers: (buffers ?? []).map(copied),
      ...(this.parent === undefined ? {} : { parent: this.parent }),
    };
    const idle = (): unknown => callbacks?.iopub?.status?.({ content: { execution_state: 'idle' } });
    void this.kernel.comm(message).then(idle, idle);
    return number;
  }

  close(): string {
    void this.kernel.comm({ comm_id: this.comm_id, kind: 'close', data: {} });
    return '';
  }
}

function copied(buffer: ArrayBuffer | ArrayBufferView): ArrayBuffer {
  if (buffer instanceof ArrayBuffer) return buffer.slice(0);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength).slice().buffer;
}

/** Names the message of ours that Python answers. */
function parent({ metadata }: CommMessage): object {
  return { msg_id: metadata?.['answers'] };
}

/** What was added to the outputs, if nothing else changed. */
function added(before: Output[], after: Output[]): Output[] | undefined {
  const said = before.map((each) => JSON.stringify(each));
  const whole = said.slice(0, -1);
  if (!whole.every((each, index) => each === JSON.stringify(after[index]))) return undefined;
  const last = before.at(-1);
  const next = after[before.length - 1];
  if (last === undefined) return after;
  if (next === undefined) return undefined;
  const news = after.slice(before.length);
  if (said.at(-1) === JSON.stringify(next)) return news;
  if (last.output_type !== 'stream' || next.output_type !== 'stream' || last.name !== next.name) return undefined;
  return next.text.startsWith(last.text) ? [{ ...next, text: next.text.slice(last.text.length) }, ...news] : undefined;
}

function asMessage(output: Output): OutputMessage {
  if (output.output_type === 'stream') return { type: 'stream', id: 0, name: output.name, text: output.text };
  if (output.output_type === 'error') return { ...output, type: 'error', id: 0 };
  const { data, metadata, transient } = output;
  return { type: 'display', id: 0, data, metadata, ...transient };
}

/** Loads what draws widgets: the page has its loader if it shows saved ones. */
async function load(address: string): Promise<Offered> {
  if (window.dlcourseWidgets === undefined) {
    await new Promise((resolve, reject) => {
      const script = document.createElement('script');
      script.src = address;
      script.onload = resolve;
      script.onerror = () => reject(new Error(address));
      document.head.append(script);
    });
  }
  return window.dlcourseWidgets!.load();
}
