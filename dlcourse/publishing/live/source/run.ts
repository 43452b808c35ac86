// Entry of run.js: makes a page run.
import { makeExercise } from './exercise';
import { importsOf, Kernel } from './kernel';
import { LivePage } from './page';
import type { Page } from './protocol';
import { LiveWidgets } from './widgets';

export { Kernel } from './kernel';

/**
 * @param page what the site tells of the page
 * @param root absolute address of the site
 * @param element the place at the top of the page
 */
export async function run(page: Page, root: string, element: HTMLElement): Promise<LivePage> {
  const kernel = new Kernel(new URL('_static/live/', root).href, importsOf(page.cells.map((cell) => cell.source)));
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
