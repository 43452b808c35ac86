// The top of a page with cells, before it runs: a button, or one sentence why there is none.
import { button, enable, make } from './controls';
import type { Page } from './protocol';
import { noteSavedWidgets } from './saved';
import { failure, words } from './words';

export function offer(root: string): void {
  const title = document.querySelector('article h1');
  if (title === null || document.querySelector('div.cell[data-cell]') === null) return;
  const line = make('p', 'dl-line');
  line.setAttribute('role', 'status');
  const element = make('div', 'dl-live', line);
  element.setAttribute('role', 'region');
  element.setAttribute('aria-label', words.region);
  title.after(element);
  if (location.protocol === 'file:') {
    line.textContent = failure('file', '');
    return;
  }
  const press = button(words.run, () => void start());
  press.classList.add('dl-primary', 'dl-start');
  let page: Promise<Page> = load(root);
  page.then(describe, () => element.prepend(press));

  function describe(about: Page): void {
    const why = about.runs ? (typeof WebAssembly === 'object' ? '' : failure('wasm', '')) : words.doesNotRun(about.why);
    line.textContent = why === '' ? words.offer : `${why} `;
    if (why === '') {
      // Answers can be written before there is Python, so there is nothing to press.
      if (about.exercise === undefined) element.prepend(press);
      else whenReached(() => void start());
      noteSavedWidgets();
      return;
    }
    const link = make('a', '', words.notebook);
    link.href = new URL(about.notebook, root).href;
    link.download = '';
    line.append(link);
  }

  async function start(): Promise<void> {
    enable(press, false);
    line.classList.remove('dl-bad');
    if (press.isConnected) line.textContent = words.loading;
    try {
      page = page.catch(() => load(root));
      const about = await page;
      const address = new URL(`_static/live/run.js?v=${VERSION}`, root).href;
      const { run } = (await import(address)) as typeof import('./run');
      await run(about, root, element);
    } catch {
      enable(press, true);
      element.prepend(press);
      line.classList.add('dl-bad');
      line.textContent = words.noPage;
    }
  }
}

// Asks each time whether the cells are still those of the page: an old copy would not fit its numbers.
async function load(root: string): Promise<Page> {
  const name = location.href.replace(/[?#].*$/, '').slice(root.length).replace(/\.html$/, '').replace(/^$|\/$/, '$&index');
  const response = await fetch(new URL(`_live/${name}.json`, root), { cache: 'no-cache' });
  if (!response.ok) throw new Error(String(response.status));
  return (await response.json()) as Page;
}

// Until the reader does something, or an answer is in sight, the page of an exercise is as light as any other.
function whenReached(then: () => void): void {
  const events = ['scroll', 'pointerdown', 'keydown', 'focusin'];
  const near = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && reached());
  const reached = (event?: Event): void => {
    // The theme scrolls its lists by itself.
    if (event?.type === 'scroll' && event.target !== document) return;
    near.disconnect();
    events.forEach((event) => document.removeEventListener(event, reached, true));
    then();
  };
  events.forEach((event) => document.addEventListener(event, reached, { capture: true, passive: true }));
  document.querySelectorAll('div.cell[data-role="answer"]').forEach((cell) => near.observe(cell));
}
