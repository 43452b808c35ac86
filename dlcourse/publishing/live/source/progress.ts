// What the reader has earned, kept in the browser. Loaded on every page, so small.
import { words } from './words';

/** What came of a check when it last ran: how many of its parts passed, and the answer that was checked. */
export interface Earned {
  passed: number;
  total: number;
  source: string;
}

/** Reads what was earned in an exercise, named "part/chapter", by the grade_id of the check. */
export function readEarned(root: string, exercise: string): Record<string, Earned> {
  try {
    const kept = JSON.parse(localStorage.getItem(keyOf(root, exercise)) ?? '{}') as Record<string, Earned>;
    return Object.fromEntries(Object.entries(kept).filter(([, each]) => Number.isFinite(each.passed)));
  } catch {
    return {};
  }
}

/** Keeps it, or forgets it where nothing is given. A browser that keeps nothing says so when answers are kept. */
export function keepEarned(root: string, exercise: string, earned: Record<string, Earned>): void {
  try {
    if (Object.keys(earned).length === 0) localStorage.removeItem(keyOf(root, exercise));
    else localStorage.setItem(keyOf(root, exercise), JSON.stringify(earned));
  } catch {
    return;
  }
}

/** Marks exercises, wherever the page names them, with what was earned; also after a return to the page. */
export function markProgress(root: string): void {
  const mark = (): void => document.querySelectorAll<HTMLElement>('.dl-earned').forEach((each) => show(root, each));
  mark();
  addEventListener('pageshow', mark);
  addEventListener('storage', mark);
  document.addEventListener('dlcourse:earned', mark);
}

function show(root: string, place: HTMLElement): void {
  const total = Number(place.dataset.total);
  const earned = (place.dataset.exercises ?? '').split(' ').flatMap((name) => Object.values(readEarned(root, name)));
  const passed = Math.min(
    total,
    earned.reduce((sum, each) => sum + each.passed, 0),
  );
  place.textContent = words.earned(passed, total);
  place.dataset.state = passed === total ? 'all' : passed > 0 ? 'some' : 'none';
  place.style.setProperty('--dl-share', `${(100 * passed) / Math.max(total, 1)}%`);
}

function keyOf(root: string, exercise: string): string {
  return `dlcourse ${new URL(root).pathname} earned ${exercise}`;
}
