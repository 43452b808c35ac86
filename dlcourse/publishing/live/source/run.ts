// Entry of run.js: makes a page run.
import { Kernel } from './kernel';
import { LivePage } from './page';
import type { Page } from './protocol';

/** @param root absolute address of the site */
export async function run(page: Page, root: string): Promise<LivePage> {
  return new LivePage(page, new Kernel(new URL('_static/live/', root).href));
}
