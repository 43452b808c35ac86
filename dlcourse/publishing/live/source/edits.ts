// The reader's changes to a page: kept in the browser, brought back, forgotten when asked.
import type { CellView, LivePage } from './page';
import { type Kept, Storage } from './storage';
import { words } from './words';

export interface Edits {
  /** Brings back what is kept, or asks whether it should. */
  restore(): void;
  /** Keeps a cell as it is now. */
  keep(view: CellView): void;
  askToClear(): void;
}

export function keepEdits(page: LivePage): Edits {
  const { data, status } = page;
  const storage = new Storage(page.root, data.page, (trouble) => {
    status.note(trouble === 'full' ? words.storageFull : words.storageForbidden);
  });
  const offerToClear = (): void => status.offerToClear(page.cells.some((view) => view.isEdited()));
  const keep = (view: CellView): void => {
    const { source: original } = view.cell;
    const kept = view.isEdited() ? { source: view.source(), original, digest: data.digest } : null;
    storage.write(nameOf(view), kept);
    offerToClear();
  };
  const forget = (): void => {
    storage.clear();
    page.cells.forEach((view) => view.setSource(view.cell.source));
    storage.clear();
  };
  return {
    restore: () => restore(page, storage.read(), forget),
    keep,
    askToClear() {
      status.ask(words.clearQuestion, {
        [words.clearYes]: () => {
          forget();
          status.say(words.cleared);
        },
        [words.clearNo]: () => {},
      });
    },
  };
}

function restore(page: LivePage, kept: Map<string, Kept>, forget: () => void): void {
  if (kept.size === 0) return;
  const take = (): void => {
    let count = 0;
    for (const [name, entry] of kept) {
      const view = placeOf(page, name, entry);
      if (view === undefined) continue;
      view.setSource(entry.source);
      count += 1;
    }
    page.status.note(words.restored(count));
  };
  if ([...kept.values()].every((entry) => entry.digest === page.data.digest)) take();
  else page.status.ask(words.pageChanged, { [words.useMine]: take, [words.dropMine]: forget });
}

/** Finds the cell that was edited, on a page whose cells may have moved since. */
function placeOf(page: LivePage, name: string, entry: Kept): CellView | undefined {
  const same = page.cells.filter((view) => view.cell.source === entry.original);
  const named = page.cells.find((view) => nameOf(view) === name);
  return same.find((view) => view === named) ?? same[0] ?? named;
}

function nameOf(view: CellView): string {
  return view.cell.grade_id ?? String(view.cell.n);
}
