// Entry of run.js: makes a page run.
import { makeExercise } from './exercise';
import { Kernel } from './kernel';
import { LivePage } from './page';
import type { Page } from './protocol';
import { LiveWidgets } from './widgets';

const IMPORT = /^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+([^\n#]+)|import[ \t]+([^\n#]+))/gm;

/**
 * @param page what the site tells of the page
 * @param root absolute address of the site
 * @param element the place at the top of the page
 */
export async function run(page: Page, root: string, element: HTMLElement): Promise<LivePage> {
  const kernel = new Kernel(new URL('_static/live/', root).href, imports(page));
  // Checks are no cells to edit: they run when the reader asks for them.
  const checks = page.cells.filter((cell) => cell.role === 'check');
  const cells = page.cells.filter((cell) => cell.role !== 'check');
  const live = new LivePage({ ...page, cells }, kernel, root, element);
  new LiveWidgets(kernel, live.renderers);
  // An exercise is written before it runs: Python starts with the first check.
  if (page.exercise !== undefined) makeExercise(live, checks);
  else void live.start();
  return live;
}

/** Names the modules that the page's cells import: "matplotlib.pyplot", and of `from a import b` both "a" and "a.b". */
function imports(page: Page): string[] {
  const names = new Set<string>();
  for (const { source } of page.cells) {
    for (const [, from, parts, plain] of source.matchAll(IMPORT)) {
      const words = (parts ?? plain ?? '').replace(/\sas\s+\w+/g, '').match(/[\w.]+/g) ?? [];
      if (from !== undefined) names.add(from);
      for (const word of words) names.add(from === undefined ? word : `${from}.${word}`);
    }
  }
  return [...names];
}
