// What the browser keeps of a page: edited cells, by page and cell.

export interface Kept {
  digest: string;
  sources: Record<string, string>;
}

/** Reads what is kept of a page; nothing where the browser keeps nothing. */
export function read(_page: string): Kept | undefined {
  return undefined;
}

/** Keeps it; false where the browser's storage is full or closed. */
export function write(_page: string, _kept: Kept): boolean {
  return false;
}

export function clear(_page: string): void {}
