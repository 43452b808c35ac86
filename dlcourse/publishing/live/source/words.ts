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

  // Widgets.
  savedWidget: 'This shows what was saved: run the page and it calls Python.',
  widgetEnded: 'Python was stopped: run the cell again and this calls it again.',

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

  // Exercises.
  check: 'Check my answer',
  checkOf: (cell: string) => `the check of ${cell}`,
  waitingForCheck: 'Waiting',
  checking: 'Checking',
  endless: (time: number) => `Still running after ${time} seconds: is there a loop that never ends? Stop ends it.`,
  checkStopped: 'Stopped before the check came to its end. Change your answer, and check it again.',
  checkFailed: (error: string) => `The check itself ended with ${error || 'an error'}: did your answer change a name that it uses, such as np?`,
  answerFailed: (error: string) => `Your answer ended with ${error} before it was whole: see above.`,
  notWritten: 'There is no answer yet: write it where it says YOUR CODE HERE.',
  passed: 'Passed:',
  notYet: 'Not yet:',
  allPassed: (count: number) => (count === 1 ? 'Passed.' : `Passed: all ${count} checks.`),
  notYetSaid: (passed: number, total: number, message: string) =>
    `Not yet${total === 1 ? '' : `: ${passed} of ${total} checks pass`}. ${message}`.trim(),
  changedSince: 'You have changed your answer since this check.',
  lastTime: (passed: number, total: number) =>
    passed === total
      ? 'Passed when you last checked this answer.'
      : `${passed} of ${total} checks passed when you last checked this answer.`,
  earned: (passed: number, total: number) =>
    total === 1 && passed === 1 ? '1 of 1 check passes' : `${passed} of ${total} checks pass`,
  download: 'Download notebook',
  load: 'Load notebook',
  startOver: 'Start over',
  resetAnswer: 'Reset this answer',
  startOverQuestion: 'Put every answer back to the text of the exercise, and forget what was checked?',
  startOverYes: 'Forget my answers',
  startedOver: 'Your answers are forgotten: the exercise is as at the beginning.',
  handIn: 'This is the notebook to hand in, with your answers in it:',
  downloaded: (file: string) => `Downloaded ${file}, with your answers in it.`,
  noNotebook: 'The notebook could not be loaded: check the connection and try again. Your answers are still here.',
  loaded: (taken: number, all: number, own: number) =>
    `Took over ${taken} of ${all} answers from the file.${own === 0 ? '' : ` Cells that you added stay in the file: ${own}.`}`,
  refused: (file: string, why: 'notebook' | 'other' | 'empty') =>
    ({
      notebook: `${file} is not a notebook: choose the .ipynb file of this exercise.`,
      other: `${file} is the notebook of another exercise: open the page of that one.`,
      empty: `${file} has no answers to this exercise: choose the .ipynb file that you downloaded here or were given.`,
    })[why],

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
