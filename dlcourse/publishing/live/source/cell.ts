// A cell on the page: its editor, its buttons, what it says about itself, its outputs.
import { button, enable, make } from './controls';
import { type Editor, makeEditor } from './editor';
import { OutputArea, type Renderer } from './outputs';
import type { Cell } from './protocol';
import { LONG, words } from './words';

export type CellState = 'fresh' | 'waiting' | 'running' | 'done' | 'failed' | 'stopped' | 'notRun';

/** What a cell asks of its page. */
export interface CellActions {
  run(view: CellView, goOn: boolean): void;
  runAbove(view: CellView): void;
  stop(): void;
  changed(view: CellView): void;
  announce(text: string): void;
}

export class CellView {
  /** Where buttons stand; exercises add theirs. */
  readonly bar: HTMLElement;
  readonly outputs: OutputArea;
  /** "cell 3", as it is called in tracebacks and by screen readers. */
  readonly name: string;
  state: CellState = 'fresh';
  /** The source that ran last since Python started. */
  ran: string | undefined;
  private readonly editor: Editor;
  private readonly runButton: HTMLButtonElement;
  private readonly aboveButton: HTMLButtonElement;
  private readonly resetButton: HTMLButtonElement;
  private readonly stopButton: HTMLButtonElement;
  private readonly said = make('span', 'dl-state');
  private readonly note = make('p', 'dl-said');
  private timer = 0;
  private seconds = 0;

  /**
   * @param element the cell's `div.cell` of the page
   * @param place its place among those that are shown, from 1
   * @param keys id of the element that tells the editor's keys
   */
  constructor(
    readonly cell: Cell,
    readonly element: HTMLElement,
    readonly place: number,
    keys: string,
    renderers: Record<string, Renderer>,
    private readonly actions: CellActions,
  ) {
    this.name = words.cell(place);
    this.editor = makeEditor({
      source: cell.source,
      label: words.code(this.name),
      keys,
      onChange: () => this.edited(),
      onRun: (goOn) => actions.run(this, goOn),
    });
    const named = (text: string, press: () => void) => button(text, press, words.named(text, this.name));
    this.runButton = named(words.runCell, () => actions.run(this, false));
    this.runButton.classList.add('dl-run');
    this.stopButton = named(words.stop, () => actions.stop());
    this.stopButton.classList.add('dl-stop');
    this.aboveButton = named(words.runAbove, () => actions.runAbove(this));
    this.resetButton = named(words.reset, () => this.reset());
    this.bar = make('div', 'dl-bar', this.runButton, this.stopButton, this.aboveButton, this.resetButton, this.said);
    this.bar.setAttribute('role', 'group');
    this.bar.setAttribute('aria-label', words.cellTools(this.name));
    this.outputs = new OutputArea(renderers);
    this.mount();
    this.edited(false);
    this.set('fresh');
  }

  source(): string {
    return this.editor.get();
  }

  setSource(source: string): void {
    if (source !== this.source()) this.editor.set(source);
  }

  isEdited(): boolean {
    return this.source() !== this.cell.source;
  }

  reset(): void {
    if (!this.isEdited()) return;
    this.setSource(this.cell.source);
    this.actions.announce(words.wasReset(this.name));
  }

  focus(): void {
    const folded = this.element.querySelector('details');
    if (folded !== null && !folded.open) folded.querySelector('summary')?.focus();
    else this.editor.focus();
  }

  /** Shows in what state the cell is; `seconds` it ran. */
  set(state: CellState, seconds = 0): void {
    this.state = state;
    this.element.dataset.state = state;
    clearTimeout(this.timer);
    this.note.textContent = '';
    if (state === 'running') {
      this.ran = this.source();
      this.timer = window.setTimeout(() => {
        this.note.textContent = words.long;
        this.actions.announce(words.longAnnounced(this.name));
      }, LONG * 1000);
    }
    // A button that goes while it has the focus would throw the reader to the top of the page.
    if (state !== 'running' && document.activeElement === this.stopButton) this.runButton.focus();
    this.stopButton.hidden = state !== 'running';
    enable(this.runButton, state !== 'running' && state !== 'waiting');
    this.describe(seconds);
  }

  /** Says something beside the outputs, until the cell runs again. */
  say(sentence: string): void {
    this.note.textContent = sentence;
  }

  private edited(tell = true): void {
    enable(this.resetButton, this.isEdited());
    this.describe();
    if (tell) this.actions.changed(this);
  }

  private describe(seconds = this.seconds): void {
    this.seconds = seconds;
    const state = {
      fresh: '',
      waiting: words.waiting,
      running: words.running,
      done: words.done(seconds),
      failed: words.failed,
      stopped: words.wasStopped,
      notRun: words.notRun,
    }[this.state];
    const changed = this.isEdited() && this.source() !== this.ran ? words.changed : '';
    this.said.textContent = [changed, state].filter((each) => each !== '').join(', ');
  }

  /** Puts the editor in the place of the code, and takes over the outputs of the build. */
  private mount(): void {
    const input = this.element.querySelector<HTMLElement>('.cell_input') ?? this.element;
    for (const child of input.children) (child as HTMLElement).hidden = true;
    input.append(this.editor.element);
    const code = input.closest('details') ?? input;
    const baked = [...this.element.querySelectorAll<HTMLElement>(':scope > .cell_output')];
    code.after(this.bar, this.note, this.outputs.element);
    for (const output of baked) {
      this.outputs.adopt([...output.childNodes]);
      output.remove();
    }
  }
}
