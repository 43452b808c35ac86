// The notebook of an exercise: with the reader's answers, to hand in; and answers out of one that was worked on elsewhere.

interface NotebookCell {
  cell_type?: unknown;
  source?: unknown;
  metadata?: { nbgrader?: { grade_id?: unknown; solution?: unknown } };
}

interface Notebook {
  cells: NotebookCell[];
  metadata?: { dlcourse?: { source?: unknown } };
}

/** A notebook of an exercise has some tens of kilobytes. */
export const LARGEST = 20e6;

/** What a file held: answers by grade_id and the number of other cells that the reader wrote, or why it is none. */
export type Found = { answers: Map<string, string>; own: number } | { refused: 'notebook' | 'other' | 'empty' };

/** Returns the released notebook with answers in the place of its stubs; all else in it stays as it is. */
export function filled(released: string, answers: ReadonlyMap<string, string>): string {
  const notebook = JSON.parse(released) as Notebook;
  for (const cell of notebook.cells) {
    const answer = answers.get(nameOf(cell));
    if (cell.cell_type === 'code' && answer !== undefined) cell.source = lines(answer);
  }
  return `${JSON.stringify(notebook, null, 1)}\n`;
}

/**
 * Finds the answers in a notebook.
 *
 * @param text the file
 * @param known the grade_ids of all answers of the exercise
 * @param source the exercise that the notebook has to be made of: "exercises/neurons/neuron.md"
 */
export function answersIn(text: string, known: readonly string[], source: string): Found {
  let notebook: Partial<Notebook> | null;
  try {
    notebook = JSON.parse(text) as Partial<Notebook> | null;
  } catch {
    return { refused: 'notebook' };
  }
  if (!Array.isArray(notebook?.cells)) return { refused: 'notebook' };
  const made = notebook.metadata?.dlcourse?.source;
  if (typeof made === 'string' && made !== source) return { refused: 'other' };
  const answers = new Map<string, string>();
  let own = 0;
  for (const cell of notebook.cells) {
    const code = textOf(cell?.source);
    const name = nameOf(cell);
    if (known.includes(name) && cell.cell_type === 'code' && !answers.has(name)) answers.set(name, code);
    else if (name === '' && code.trim() !== '') own += 1;
  }
  return answers.size === 0 ? { refused: 'empty' } : { answers, own };
}

function nameOf(cell: NotebookCell | null): string {
  const name = cell?.metadata?.nbgrader?.grade_id;
  return typeof name === 'string' ? name : '';
}

function textOf(source: unknown): string {
  if (Array.isArray(source)) return source.filter((line) => typeof line === 'string').join('');
  return typeof source === 'string' ? source : '';
}

/** Splits a text as nbformat keeps it: each line with its end. */
function lines(text: string): string[] {
  return text.replace(/\r\n?/g, '\n').match(/[^\n]*\n|[^\n]+$/g) ?? [];
}
