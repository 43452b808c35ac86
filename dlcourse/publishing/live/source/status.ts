// The top of a page that runs: its buttons, its status line, its questions.
import { button, enable, make } from './controls';
import { words } from './words';

export interface StatusActions {
  runAll(): void;
  stop(): void;
  clearSaved(): void;
}

/** How often the line changes while Python is loading: screen readers say every change. */
const PAUSE = 1500;

export class Status {
  private readonly runButton: HTMLButtonElement;
  private readonly stopButton: HTMLButtonElement;
  private readonly clearButton: HTMLButtonElement;
  private readonly line: HTMLElement;
  private readonly notes = make('div', 'dl-notes');
  private readonly bar = document.createElement('progress');
  private last = 0;

  /** @param element what live.js has put at the top: a button, and a line with role="status" */
  constructor(
    readonly element: HTMLElement,
    actions: StatusActions,
  ) {
    this.line = element.querySelector<HTMLElement>('[role=status]') ?? make('p', 'dl-line');
    this.runButton = button(words.runAll, actions.runAll);
    this.runButton.classList.add('dl-primary');
    this.stopButton = button(words.stop, actions.stop);
    this.stopButton.classList.add('dl-stop');
    this.clearButton = button(words.clearSaved, actions.clearSaved);
    const offered = element.querySelector('.dl-start');
    const focused = offered !== null && document.activeElement === offered;
    const tools = make('div', 'dl-tools', this.runButton, this.stopButton, this.clearButton);
    this.bar.className = 'dl-progress';
    this.bar.setAttribute('aria-label', words.bar);
    this.bar.hidden = true;
    element.replaceChildren(tools, this.bar, this.line, this.notes);
    if (focused) this.runButton.focus({ preventScroll: true });
    this.busy(false);
    this.offerToClear(false);
  }

  /** Says what goes on; the last sentence stays. */
  say(text: string, bad = false): void {
    this.line.textContent = text;
    this.line.classList.toggle('dl-bad', bad);
    this.last = 0;
  }

  progress(text: string, done: number, all: number): void {
    this.bar.hidden = false;
    if (all > 0) {
      this.bar.max = all;
      this.bar.value = Math.min(done, all);
    } else this.bar.removeAttribute('value');
    const now = performance.now();
    if (this.last !== 0 && now - this.last < PAUSE && done < all) return;
    this.say(text);
    this.last = now;
  }

  progressDone(): void {
    this.bar.hidden = true;
  }

  busy(busy: boolean): void {
    this.element.dataset.state = busy ? 'busy' : 'ready';
    enable(this.runButton, !busy);
    enable(this.stopButton, busy);
  }

  offerToClear(kept: boolean): void {
    if (document.activeElement === this.clearButton && !kept) this.runButton.focus();
    this.clearButton.hidden = !kept;
  }

  /** A sentence that stays, beside the status line. */
  note(text: string): HTMLElement {
    const note = make('div', 'dl-note', make('p', '', text));
    note.setAttribute('role', 'status');
    this.notes.append(note);
    return note;
  }

  /** Asks; the answer takes the question away. */
  ask(text: string, answers: Record<string, () => void>): void {
    if ([...this.notes.children].some((each) => each.firstChild?.textContent === text)) return;
    const note = this.note(text);
    const pressed = (act: () => void) => () => {
      note.remove();
      this.runButton.focus();
      act();
    };
    const buttons = Object.entries(answers).map(([answer, act]) => button(answer, pressed(act)));
    note.append(make('div', 'dl-tools', ...buttons));
  }
}
