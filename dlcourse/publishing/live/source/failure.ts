// Why there is no Python.
import type { Reason } from './protocol';

export class Failure extends Error {
  constructor(
    readonly reason: Reason,
    message: string,
  ) {
    super(message);
  }
}
