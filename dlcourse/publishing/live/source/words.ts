// Every sentence that a reader sees, in one place, so that another edition can translate it.
import type { Reason } from './protocol';

export const words = {
  run: 'Run this page',
};

/** The sentence for a failure, with its remedy. */
export function failure(_reason: Reason, _message: string): string {
  return '';
}
