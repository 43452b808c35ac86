// An exercise on its page: its tasks, what was earned, the notebook to hand in.
//
// Programs can do what a reader does: an answer, `[data-role="answer"][data-grade-id]`, takes the event `dlcourse:set` with
// the code as its detail; each report, `.dl-report[data-grade-id]`, tells its `data-state` and sends `dlcourse:report`.
import { button, make } from './controls';
import { Failure } from './kernel';
import { answersIn, filled, LARGEST } from './notebook';
import type { CellView, LivePage, Result } from './page';
import { type Earned, keepEarned, readEarned } from './progress';
import type { Cell, OutputMessage } from './protocol';
import { Task } from './task';
import { isReport, REPORT, type Report, spoken, type Verdict } from './verdicts';
import { failure, words } from './words';

export function makeExercise(page: LivePage, checks: Cell[]): Exercise {
  return new Exercise(page, checks);
}

class Exercise {
  private readonly tasks: Task[];
  private readonly name: string;
  private readonly chapter: string;
  private queue: Promise<unknown> = Promise.resolve();
  /** Counts the ends of Python. */
  private lives = 0;
  private busy: Task | undefined;

  constructor(
    private readonly page: LivePage,
    checks: Cell[],
  ) {
    const { part = '', chapter = '' } = page.data.exercise ?? {};
    this.name = `${part}/${chapter}`;
    this.chapter = chapter;
    const actions = {
      check: (task: Task) => this.ask(task),
      stop: () => void page.stop(),
      announce: (text: string) => page.status.say(text),
    };
    this.tasks = checks.flatMap((check) => {
      const answer = page.cells.find((view) => view.cell.grade_id === check.task);
      return answer === undefined ? [] : [new Task(answer, check, actions)];
    });
    this.tools();
    this.listen();
    const earned = readEarned(page.root, this.name);
    this.tasks.forEach((task) => {
      const before = earned[task.check.grade_id ?? ''];
      if (before !== undefined) task.recall(before);
    });
    document.documentElement.dataset.exercise = 'ready';
  }

  private listen(): void {
    const { page } = this;
    const died = (): void => {
      this.lives += 1;
      this.tasks.forEach((task) => task.versions.clear());
    };
    page.kernel.on('stopped', died);
    page.kernel.on('failed', ({ reason, message }) => {
      died();
      this.busy?.set('failed', failure(reason, message));
    });
    page.kernel.on('progress', ({ stage, text, done, all }) => {
      const line =
        stage === 'download' ? words.downloading(done, all) : stage === 'start' ? words.starting : words.unpacking(text);
      this.busy?.set('busy', line);
    });
    page.onRan.push((view) => {
      const ran = view.ran;
      if (ran !== undefined) this.of(view).forEach((task) => task.versions.add(ran));
    });
    page.onChange.push((view) => this.of(view).forEach((task) => task.changed()));
    for (const view of page.cells) {
      view.element.addEventListener('dlcourse:set', (event) => view.setSource(String((event as CustomEvent).detail)));
    }
  }

  private of(view: CellView): Task[] {
    return this.tasks.filter((task) => task.answer === view);
  }

  /** Checks an answer after those asked for before. */
  private ask(task: Task): void {
    task.begin();
    const pressed = performance.now();
    this.queue = this.queue.then(async () => {
      this.busy = task;
      const lives = this.lives;
      try {
        await this.perform(task, lives, pressed);
      } catch (error) {
        const { reason, message } = error instanceof Failure ? error : new Failure('start', String(error));
        task.set('failed', failure(reason, message));
        this.page.status.say(failure(reason, message), true);
      }
      this.busy = undefined;
    });
  }

  private async perform(task: Task, lives: number, pressed: number): Promise<void> {
    const { kernel, cells, status } = this.page;
    await kernel.start();
    task.running();
    const before = cells.slice(0, cells.indexOf(task.answer));
    for (const view of before) {
      if (view.ran === view.source() && view.state === 'done') continue;
      await this.runAnswer(view);
      if (lives !== this.lives) return this.stopped(task);
    }
    const ran = await this.runAnswer(task.answer);
    if (lives !== this.lives) return this.stopped(task);
    let report: Report | undefined;
    let error: Extract<OutputMessage, { type: 'error' }> | undefined;
    const take = (message: OutputMessage): void => {
      const found = message.type === 'display' ? message.data[REPORT] : undefined;
      if (isReport(found)) report = found;
      else task.printed.show(message);
      if (message.type === 'error') error = message;
    };
    const name = words.checkOf(task.answer.name);
    if (task.check.prepare) await kernel.run(task.check.prepare, name);
    await kernel.run(task.check.source, name, take);
    if (lives !== this.lives) return this.stopped(task);
    if (report === undefined) {
      task.set('failed', words.checkFailed(error?.ename ?? ''));
      status.say(words.checkFailed(error?.ename ?? ''), true);
      return;
    }
    const remark = this.remark(task, ran);
    if (remark !== '') report = withoutUndefined(report);
    task.found(report, (performance.now() - pressed) / 1000, remark);
    this.keep(task, report);
    status.say([remark, spoken(report)].filter((each) => each !== '').join(' '));
  }

  /** Runs an answer; nothing that an earlier version of it defined is left. Says nothing of one that is still to be written. */
  private async runAnswer(view: CellView): Promise<Result> {
    const versions = [...new Set(this.of(view).flatMap((task) => [...task.versions]))];
    if (versions.length > 0) await this.page.kernel.run(forget(versions), view.name);
    const result = await this.page.run([view]);
    if (result.error?.ename === 'NotImplementedError' && !view.isEdited()) {
      view.outputs.clear();
      view.set('fresh');
    }
    return result;
  }

  /** Says why a check cannot have passed, where the answer ended before it was whole. */
  private remark(task: Task, { error }: Result): string {
    if (error === undefined) return '';
    if (error.ename === 'NotImplementedError' && !task.answer.isEdited()) return words.notWritten;
    return words.answerFailed(error.ename);
  }

  private stopped(task: Task): void {
    if (this.page.kernel.state !== 'off') task.set('stopped', words.checkStopped);
  }

  private keep(task: Task, { verdicts }: Report): void {
    const passed = verdicts.filter((each) => each.passed).length;
    const earned: Earned = { passed, total: verdicts.length, source: task.answer.source() };
    this.write({ ...readEarned(this.page.root, this.name), [task.check.grade_id ?? '']: earned });
  }

  private write(earned: Record<string, Earned>): void {
    keepEarned(this.page.root, this.name, earned);
    document.dispatchEvent(new Event('dlcourse:earned'));
  }

  /** Puts what an exercise needs in the place of a chapter's buttons. */
  private tools(): void {
    const { status } = this.page;
    const tools = status.element.querySelector('.dl-tools');
    const file = make('input', 'dl-file');
    file.type = 'file';
    file.accept = '.ipynb,application/x-ipynb+json,application/json';
    file.hidden = true;
    file.addEventListener('change', () => void this.load(file));
    const startOver = button(words.startOver, () =>
      status.ask(words.startOverQuestion, { [words.startOverYes]: () => this.startOver(), [words.clearNo]: () => {} }),
    );
    const load = button(words.load, () => file.click());
    tools?.replaceChildren(this.downloadButton(), load, startOver, file);
    const last = document.querySelector<HTMLElement>('article section');
    last?.append(make('p', 'dl-at-end', `${words.handIn} `, this.downloadButton()));
    document.querySelectorAll<HTMLElement>('a.dl-notebook').forEach((link) => (link.hidden = true));
    for (const view of this.page.cells) {
      const reset = [...view.bar.querySelectorAll('button')].find((each) => each.textContent === words.reset);
      if (reset !== undefined) reset.textContent = words.resetAnswer;
      reset?.setAttribute('aria-label', words.named(words.resetAnswer, view.name));
    }
  }

  private downloadButton(): HTMLButtonElement {
    return button(words.download, () => void this.download());
  }

  private async download(): Promise<void> {
    const { page } = this;
    try {
      const response = await fetch(new URL(page.data.notebook, page.root));
      if (!response.ok) throw new Error(String(response.status));
      const answers = new Map(page.cells.map((view) => [view.cell.grade_id ?? '', view.source()]));
      const file = new Blob([filled(await response.text(), answers)], { type: 'application/x-ipynb+json' });
      const link = make('a', '');
      link.href = URL.createObjectURL(file);
      link.download = `${this.chapter}.ipynb`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      page.status.say(words.downloaded(link.download));
    } catch {
      page.status.say(words.noNotebook, true);
    }
  }

  private async load(input: HTMLInputElement): Promise<void> {
    const { status, cells } = this.page;
    const [file] = input.files ?? [];
    if (file === undefined) return;
    const text = file.size > LARGEST ? '' : await file.text();
    input.value = '';
    const known = cells.map((view) => view.cell.grade_id ?? '');
    const found = answersIn(text, known, `exercises/${this.name}.md`);
    if ('refused' in found) {
      status.say(words.refused(file.name, found.refused), true);
      return;
    }
    for (const view of cells) {
      const answer = found.answers.get(view.cell.grade_id ?? '');
      if (answer !== undefined) view.setSource(answer);
    }
    status.say(words.loaded(found.answers.size, cells.length, found.own));
  }

  private startOver(): void {
    for (const view of this.page.cells) {
      view.setSource(view.cell.source);
      view.outputs.clear();
      view.set('fresh');
    }
    this.tasks.forEach((task) => task.clear());
    this.write({});
    this.page.status.say(words.startedOver);
  }
}

/** An answer that ended early has defined nothing: that is said already, and that its cell has to run first would mislead. */
function withoutUndefined(report: Report): Report {
  const misleads = ({ name, message }: Verdict): boolean => message.startsWith(`${name} is not defined`);
  return { ...report, verdicts: report.verdicts.map((each) => (misleads(each) ? { ...each, message: '' } : each)) };
}

/** Python that takes away what versions of an answer defined. A list of strings in JSON is one in Python, too. */
function forget(versions: string[]): string {
  return `__import__('dlcourse_live.exercise', fromlist=['forget']).forget(${JSON.stringify(versions)})`;
}
