// What a check found, as the reader sees it.
import { make } from './controls';
import { words } from './words';

/** `application/vnd.dlcourse.report+json`, from dlcourse/checks/report.py. */
export interface Report {
  points: number;
  total: number;
  hidden: boolean;
  verdicts: Verdict[];
}

export interface Verdict {
  name: string;
  what: string;
  passed: boolean;
  points: number;
  total: number;
  message: string;
  example: string;
  kind: string;
}

export const REPORT = 'application/vnd.dlcourse.report+json';

export function isReport(value: unknown): value is Report {
  return typeof value === 'object' && value !== null && Array.isArray((value as Partial<Report>).verdicts);
}

/** Lists the verdicts. */
export function list(report: Report): HTMLElement {
  return make('ul', 'dl-verdicts', ...report.verdicts.map(item));
}

/** Says a report in a sentence or two, for those who hear it. */
export function spoken({ verdicts }: Report): string {
  const failed = verdicts.find((each) => !each.passed);
  const passed = verdicts.filter((each) => each.passed).length;
  return failed === undefined ? words.allPassed(passed) : words.notYetSaid(passed, verdicts.length, failed.message);
}

function item(verdict: Verdict): HTMLElement {
  const name = make('code', '', verdict.name);
  const word = make('strong', '', verdict.passed ? words.passed : words.notYet);
  const row = make('li', 'dl-verdict', make('p', '', word, ' ', name, ` ${verdict.what}`));
  row.dataset.passed = String(verdict.passed);
  if (verdict.message !== '') row.append(make('p', 'dl-message', verdict.message));
  if (verdict.example !== '') row.append(make('pre', 'dl-example', verdict.example));
  return row;
}
