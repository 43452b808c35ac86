// Where a cell's outputs are shown.
import { render, type Renderer, sentence } from './mime';
import type { OutputMessage } from './protocol';
import { Stream } from './stream';
import { words } from './words';

export type { Renderer } from './mime';

/** Printed characters, and things shown, that a cell keeps. The worker stops earlier; widgets' callbacks come here. */
export const MOST_CHARACTERS = 200_000;
export const MOST_DISPLAYS = 200;

type Display = Extract<OutputMessage, { type: 'display' }>;
type Printed = Extract<OutputMessage, { type: 'stream' }>;
type Failed = Extract<OutputMessage, { type: 'error' }>;

/** Every place that shows a display with an id, in whichever cell: `update_display` reaches them all. */
const places = new Map<string, Set<{ host: HTMLElement; area: OutputArea }>>();

export class OutputArea {
  readonly element = document.createElement('div');
  private stream: Stream | undefined;
  private waiting: Printed[] = [];
  private frame = 0;
  private characters = 0;
  private displays = 0;
  private full = false;
  private clearNext = false;
  private rendering: Promise<unknown>[] = [];

  /** @param renderers for MIME types that others know: widgets' views, reports of checks */
  constructor(readonly renderers: Record<string, Renderer> = {}) {
    this.element.className = 'cell_output docutils container dl-live-output';
  }

  /** Takes in what the build left, to be cleared like any other output. */
  adopt(nodes: Iterable<Node>): void {
    this.element.append(...nodes);
  }

  /** Dims what is there until the next output takes its place. */
  begin(): void {
    this.flush();
    // What stands below does not jump while outputs are replaced.
    this.element.style.minHeight = `${this.element.offsetHeight}px`;
    this.clearNext = true;
    this.element.classList.add('dl-stale');
    this.element.setAttribute('aria-busy', 'true');
  }

  /** Ends what `begin` began; `whole` tells that the cell ran to its end, so that what it left out goes too. */
  async end(whole: boolean): Promise<void> {
    this.flush();
    if (whole) this.clearIfAsked();
    this.clearNext = false;
    this.element.classList.remove('dl-stale');
    this.element.removeAttribute('aria-busy');
    await Promise.allSettled(this.rendering.splice(0));
    this.element.style.minHeight = '';
  }

  show(message: OutputMessage): void {
    switch (message.type) {
      case 'stream':
        this.waiting.push(message);
        // Many lines a second are drawn once a frame.
        if (this.frame === 0) this.frame = window.setTimeout(() => this.flush(), 30);
        return;
      case 'clear':
        this.flush();
        this.clearNext = true;
        if (!message.wait) this.clearIfAsked();
        return;
      case 'display':
        this.flush();
        this.display(message);
        return;
      case 'error':
        this.flush();
        this.failure(message);
    }
  }

  clear(): void {
    clearTimeout(this.frame);
    this.frame = 0;
    this.waiting = [];
    this.clearNext = false;
    this.stream = undefined;
    this.characters = 0;
    this.displays = 0;
    this.full = false;
    this.element.classList.remove('dl-stale');
    this.element.replaceChildren();
    for (const shown of places.values()) {
      for (const place of shown) if (place.area === this) shown.delete(place);
    }
  }

  private flush(): void {
    clearTimeout(this.frame);
    this.frame = 0;
    const printed = this.waiting.splice(0);
    if (printed.length === 0) return;
    this.clearIfAsked();
    for (const { name, text, cut } of printed) {
      this.print(name, text);
      if (cut !== undefined) this.say(words.cut(cut));
    }
  }

  private print(name: Printed['name'], text: string): void {
    if (this.full) return;
    const room = MOST_CHARACTERS - this.characters;
    this.characters += text.length;
    if (this.stream?.name !== name) this.element.append((this.stream = new Stream(name)).element);
    this.stream.write(text.slice(0, room));
    if (text.length > room) this.say(words.cut(MOST_CHARACTERS));
  }

  private say(text: string): void {
    if (!this.full) this.add(sentence(text));
    this.full = true;
  }

  private display({ data, metadata, display_id: id, update }: Display): void {
    if (update === true) {
      for (const { host, area } of places.get(id ?? '') ?? []) area.render(host, data, metadata);
      return;
    }
    this.clearIfAsked();
    this.displays += 1;
    if (this.displays > MOST_DISPLAYS) {
      if (this.displays === MOST_DISPLAYS + 1) this.add(sentence(words.manyDisplays(MOST_DISPLAYS)));
      return;
    }
    const host = document.createElement('div');
    this.add(host);
    if (id !== undefined) places.set(id, (places.get(id) ?? new Set()).add({ host, area: this }));
    this.render(host, data, metadata);
  }

  private render(host: HTMLElement, data: Display['data'], metadata: Display['metadata']): void {
    this.rendering.push(
      render(data, metadata, host, this.renderers).catch((error: unknown) => {
        host.replaceChildren(sentence(words.cannotShow(String(error))));
      }),
    );
  }

  private failure({ ename, evalue, traceback }: Failed): void {
    this.clearIfAsked();
    const box = document.createElement('div');
    box.className = 'output dl-error';
    const head = document.createElement('p');
    const name = document.createElement('strong');
    name.textContent = ename;
    head.append(name, evalue === '' ? '' : `: ${evalue}`);
    box.append(head);
    if (traceback.length > 0) {
      const pre = document.createElement('pre');
      pre.textContent = traceback.join('\n');
      box.append(pre);
    }
    this.add(box);
  }

  private add(element: HTMLElement): void {
    this.stream = undefined;
    this.element.append(element);
  }

  private clearIfAsked(): void {
    if (!this.clearNext) return;
    const printed = this.waiting;
    this.clear();
    this.waiting = printed;
  }
}
