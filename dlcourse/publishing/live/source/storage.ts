// What the browser keeps of a page: edited cells. One entry a cell, so that tabs never undo each other's cells.

/** An edited cell. `original` is the text of the book that was edited. */
export interface Kept {
  source: string;
  original: string;
  digest: string;
}

export type Trouble = 'full' | 'forbidden';

export class Storage {
  private readonly prefix: string;
  private readonly waiting = new Map<string, Kept | null>();
  private timer = 0;
  private told = false;

  /**
   * @param root address of the site: one host may have several books
   * @param page name of the page
   * @param onTrouble called once, when something could not be kept
   */
  constructor(
    root: string,
    page: string,
    private readonly onTrouble: (trouble: Trouble) => void,
  ) {
    this.prefix = `dlcourse ${new URL(root).pathname} ${page} cell `;
    addEventListener('pagehide', () => this.flush());
  }

  /** Reads what is kept, by the name of the cell. */
  read(): Map<string, Kept> {
    const kept = new Map<string, Kept>();
    try {
      for (const key of this.keys()) {
        const entry = parse(localStorage.getItem(key));
        if (entry !== undefined) kept.set(key.slice(this.prefix.length), entry);
      }
    } catch {
      this.tell('forbidden');
    }
    return kept;
  }

  /** Keeps a cell, or with null forgets it, a moment later: not at every key. */
  write(cell: string, kept: Kept | null): void {
    this.waiting.set(cell, kept);
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.flush(), 400);
  }

  clear(): void {
    this.waiting.clear();
    try {
      this.keys().forEach((key) => localStorage.removeItem(key));
    } catch {
      this.tell('forbidden');
    }
  }

  private flush(): void {
    for (const [cell, kept] of this.waiting) {
      try {
        if (kept === null) localStorage.removeItem(this.prefix + cell);
        else localStorage.setItem(this.prefix + cell, JSON.stringify(kept));
      } catch (error) {
        this.tell(error instanceof DOMException && /quota/i.test(error.name) ? 'full' : 'forbidden');
      }
    }
    this.waiting.clear();
  }

  private keys(): string[] {
    return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
  }

  private tell(trouble: Trouble): void {
    if (!this.told) this.onTrouble(trouble);
    this.told = true;
  }
}

function parse(text: string | null): Kept | undefined {
  try {
    const entry = JSON.parse(text ?? '') as Partial<Kept>;
    const whole = [entry.source, entry.original, entry.digest].every((each) => typeof each === 'string');
    return whole ? (entry as Kept) : undefined;
  } catch {
    return undefined;
  }
}
