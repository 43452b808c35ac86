// A page that runs: its cells with their buttons, its status line.
import type { Kernel } from './kernel';
import type { Cell, Page } from './protocol';

/** One cell on the page, as exercises see it. */
export interface CellView {
  readonly cell: Cell;
  readonly element: HTMLElement;
  source(): string;
  setSource(source: string): void;
}

export class LivePage {
  readonly cells: CellView[] = [];

  constructor(
    readonly data: Page,
    readonly kernel: Kernel,
  ) {}
}
