// One task of an exercise: its button, and what its check found.
import type { CellView } from './cell';
import { button, enable, make } from './controls';
import { OutputArea } from './outputs';
import type { Earned } from './progress';
import type { Cell } from './protocol';
import { list, type Report } from './verdicts';
import { words } from './words';

export type TaskState = 'none' | 'busy' | 'passed' | 'notYet' | 'failed' | 'stopped';

/** After so many seconds a check is said to be perhaps without an end. */
const LONG = 5;

export class Task {
  readonly button: HTMLButtonElement;
  /** What the check and the answer print while it runs. */
  readonly printed = new OutputArea();
  /** Every version of the answer that has run since Python started. */
  readonly versions = new Set<string>();
  private readonly element: HTMLElement;
  private readonly line = make('p', 'dl-check-line');
  private readonly verdicts = make('div', 'dl-found');
  private readonly note = make('p', 'dl-changed');
  private readonly stopButton: HTMLButtonElement;
  private checked: string | undefined;
  private timer = 0;

  constructor(
    readonly answer: CellView,
    readonly check: Cell,
    actions: { check(task: Task): void; stop(): void; announce(text: string): void },
  ) {
    this.button = button(words.check, () => actions.check(this), words.named(words.check, answer.name));
    this.button.classList.add('dl-primary', 'dl-check');
    this.stopButton = button(words.stop, () => actions.stop(), words.named(words.stop, words.checkOf(answer.name)));
    this.stopButton.classList.add('dl-stop');
    this.announce = actions.announce;
    answer.bar.prepend(this.button);
    const head = make('div', 'dl-check-head', this.line, this.stopButton);
    this.element = make('div', 'dl-report', head, this.verdicts, this.printed.element, this.note);
    this.element.dataset.gradeId = check.grade_id ?? '';
    answer.element.append(this.element);
    this.set('none', '');
  }

  /** Shows how far the check is. */
  set(state: TaskState, line: string): void {
    clearTimeout(this.timer);
    this.element.dataset.state = state;
    this.element.removeAttribute('data-stale');
    this.note.textContent = '';
    this.line.textContent = line;
    if (state !== 'busy' && document.activeElement === this.stopButton) this.button.focus();
    this.stopButton.hidden = true;
    enable(this.button, state !== 'busy');
  }

  /** Begins a check: what the last one found goes. */
  begin(): void {
    this.verdicts.replaceChildren();
    this.printed.clear();
    this.set('busy', words.waitingForCheck);
  }

  /** Says that the reader's code runs now, and offers to stop it if it goes on and on. */
  running(): void {
    this.set('busy', words.checking);
    this.timer = window.setTimeout(() => {
      this.line.textContent = words.endless(LONG);
      this.stopButton.hidden = false;
      this.announce(words.endless(LONG));
    }, LONG * 1000);
  }

  /** Shows what the check found; `remark` says what else there is to know. */
  found(report: Report, seconds: number, remark: string): void {
    this.checked = this.answer.source();
    const passed = report.verdicts.every((each) => each.passed);
    this.set(passed ? 'passed' : 'notYet', remark);
    this.verdicts.replaceChildren(list(report));
    this.element.dataset.seconds = seconds.toFixed(3);
    this.element.dispatchEvent(new CustomEvent('dlcourse:report', { bubbles: true, detail: report }));
  }

  /** Shows what was found when the reader was here before. */
  recall(earned: Earned): void {
    if (earned.source !== this.answer.source()) return;
    this.checked = earned.source;
    this.set(earned.passed === earned.total ? 'passed' : 'notYet', words.lastTime(earned.passed, earned.total));
  }

  /** Says, after a change of the answer, that what is shown is about another one. */
  changed(): void {
    const { state } = this.element.dataset;
    if (state === 'busy' || state === 'none') return;
    const stale = this.checked !== undefined && this.checked !== this.answer.source();
    if (stale === this.element.hasAttribute('data-stale')) return;
    this.element.toggleAttribute('data-stale', stale);
    this.note.textContent = stale ? words.changedSince : '';
  }

  /** As if it had never been checked. */
  clear(): void {
    this.checked = undefined;
    this.verdicts.replaceChildren();
    this.printed.clear();
    this.set('none', '');
  }

  private readonly announce: (text: string) => void;
}
