// Every sentence that a reader sees, in one place, so that another edition can translate it.
import type { Reason } from './protocol';

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 1e6 ? 1 : 0);
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const seconds = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

/** After so many seconds a running cell is said to take long. */
export const LONG = 10;

export const words = {
  // The top of the page.
  region: 'Run this page',
  run: 'Run this page',
  offer: 'Python starts in your browser. What you type stays on this device.',
  doesNotRun: (why: string) => (why === '' ? 'This page does not run in a browser.' : why),
  notebook: 'Download the notebook',
  noPage: 'The cells of this page could not be loaded: check the connection and try again.',
  runAll: 'Run all',
  stop: 'Stop',
  clearSaved: 'Clear saved',
  clearQuestion: 'Put every cell back to the text of the book, and forget your changes?',
  clearYes: 'Forget my changes',
  clearNo: 'Keep them',
  cleared: 'Your changes are forgotten: every cell is as in the book.',

  // Progress.
  downloading: (done: number, all: number) =>
    `Python is loading: ${Math.min(Number(megabytes(done)), Number(megabytes(all)))} of ${megabytes(all)} MB`,
  starting: 'Python is starting',
  unpacking: (name: string) => `Python is loading ${name}`,
  loading: 'Python is loading',
  bar: 'Loading of Python',

  // Runs.
  runningAll: (count: number) => `Running ${count} cells`,
  runningOne: (cell: string) => `Running ${cell}`,
  doneAll: (count: number) => `Done: ${count} cells ran without an error.`,
  doneOne: (cell: string, time: number) => `Done: ${cell}, ${seconds(time)} s.`,
  failedOne: (cell: string, error: string) => `Failed: ${cell} ended with ${error}.`,
  failedAmong: (cell: string, error: string) =>
    `Failed: ${cell} ended with ${error}. The cells below it have not run.`,
  long: `This cell has run for ${LONG} seconds. Stop ends it.`,
  longAnnounced: (cell: string) => `${capital(cell)} has run for ${LONG} seconds. Stop ends it.`,
  stopping: 'Python is stopped and starts again.',
  stopped: 'Python was stopped and has started again. What the cells had defined is gone: use Run all, or Run all above.',
  stoppedOnly: 'Python was stopped. What the cells had defined is gone: use Run all, or Run all above.',
  aboveMissing: 'Cells above have not run since Python started: Run all above may help.',

  // A cell.
  cell: (place: number) => `cell ${place}`,
  hiddenCell: (place: number) => `hidden cell before cell ${place}`,
  lastHiddenCell: 'hidden cell at the end of the page',
  cellTools: (cell: string) => `Tools of ${cell}`,
  runCell: 'Run',
  runAbove: 'Run all above',
  reset: 'Reset',
  named: (action: string, cell: string) => `${action}: ${cell}`,
  code: (cell: string) => `Code of ${cell}`,
  keys: 'Shift+Enter runs the cell and goes on. Tab indents; Escape, then Tab leaves the cell.',
  changed: 'changed',
  waiting: 'waiting',
  running: 'running',
  done: (time: number) => `done, ${seconds(time)} s`,
  failed: 'failed',
  wasStopped: 'stopped',
  notRun: 'not run',
  wasReset: (cell: string) => `${capital(cell)} is as in the book again.`,

  // Outputs.
  cut: (most: number) => `The output is longer than ${most.toLocaleString('en')} characters; the rest is not shown.`,
  manyDisplays: (most: number) => `The cell shows more than ${most} things; the rest is not shown.`,
  tooLarge: (bytes: number) => `An output of ${megabytes(bytes)} MB is too large for the page and is not shown.`,
  cannotShow: (types: string) => `This page cannot show ${types}.`,
  picture: 'Picture made by the cell',

  // Storage.
  restored: (count: number) =>
    count === 1 ? 'Your change to one cell is back.' : `Your changes to ${count} cells are back.`,
  pageChanged: 'The book has changed this page since you edited it.',
  useMine: 'Use my changes',
  dropMine: 'Drop my changes',
  storageFull:
    'The browser has no room left to keep your changes: they last until you leave the page. Delete stored data of other sites, or copy your code.',
  storageForbidden:
    'The browser keeps nothing for this site: your changes last until you leave the page. Allow site data in its settings to keep them.',
};

/** The sentence for a failure, with its remedy. */
export function failure(reason: Reason, message: string): string {
  switch (reason) {
    case 'file':
      return 'A page opened as a file cannot run: type dlcourse serve, or python -m http.server in the folder of the site, and open the address that it prints.';
    case 'wasm':
      return 'This browser has no WebAssembly, which Python needs: use a current Firefox, Chrome, Edge or Safari, or allow it in the settings.';
    case 'worker':
      return 'The browser did not let Python start in the background: allow scripts and workers for this site, or turn off the extension that blocks them, and try again.';
    case 'download':
      return navigator.onLine
        ? `${message || 'A file'} could not be loaded: try again, and tell the site's owner if it stays so.`
        : 'You are offline, and Python is not on this device yet: connect to the internet and try again.';
    case 'checksum':
      return `${message || 'A file'} arrived damaged and was not used: reload the page without the cache (Ctrl+Shift+R), and tell the site's owner if it stays so.`;
    case 'start':
      return `Python did not start${said(message)}: reload the page and try again.`;
    case 'memory':
      return 'The memory is used up and Python has ended: use smaller arrays, then run the page again.';
    case 'recursion':
      return 'Calls went too deep and Python has ended: look for a function that calls itself without an end, then run the page again.';
    case 'crash':
      return `Python ended unexpectedly${said(message)}: run the page again.`;
  }
}

function said(message: string): string {
  const [line = ''] = message.split('\n');
  return line === '' ? '' : ` (${line.length > 120 ? `${line.slice(0, 119)}…` : line})`;
}
