// Where a cell's outputs are shown.
import type { OutputMessage } from './protocol';

/** Shows a MIME type; false leaves it to the next type of the bundle. */
export type Renderer = (value: unknown, host: HTMLElement, metadata: unknown) => boolean | Promise<boolean>;

export class OutputArea {
  readonly element = document.createElement('div');

  /** @param renderers for MIME types that others know: widgets' views, reports of checks */
  constructor(readonly renderers: Record<string, Renderer> = {}) {}

  show(_message: OutputMessage): void {}

  clear(): void {}
}
