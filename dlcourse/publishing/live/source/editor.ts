// The editor of a cell: CodeMirror 6 with Python.

export interface EditorOptions {
  source: string;
  /** How screen readers call it. */
  label: string;
  onChange(source: string): void;
  /** Shift+Enter. */
  onRun(): void;
}

export interface Editor {
  readonly element: HTMLElement;
  get(): string;
  set(source: string): void;
  focus(): void;
}

export function makeEditor(_options: EditorOptions): Editor {
  const element = document.createElement('div');
  return { element, get: () => '', set: () => {}, focus: () => {} };
}
