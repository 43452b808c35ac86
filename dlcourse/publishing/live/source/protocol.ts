// What the page and its worker say to each other, and what the site tells both: nothing else passes between them.

// --- files of the site ----------------------------------------------------------------------------------

/** `_static/live/manifest.json`. Addresses are absolute, or relative to `_static/live/`. */
export interface Manifest {
  version: string;
  /** Where Pyodide's core lies, with a trailing slash: `pyodide/`, or its CDN. */
  core: string;
  /** Each file that is downloaded, checked before it is used. */
  files: Record<string, { sha256: string; size: number }>;
  /** Each wheel's address by its name, in the order of loading. */
  wheels: Record<string, string>;
  /** Wheels that are there before the first cell runs. */
  start: string[];
  /**
   * What else has to be there for what is imported. Keys are names of wheels or dotted names of modules
   * ("matplotlib", "dlcourse.figures", "PIL", "ipywidgets"); values are names of wheels or other keys.
   */
  needs: Record<string, string[]>;
}

/** `_live/PAGENAME.json`. */
export interface Page {
  page: string;
  title: string;
  runs: boolean;
  /** Why the page does not run here: one sentence. */
  why: string;
  /** The notebook to download, relative to the site's root. */
  notebook: string;
  digest: string;
  cells: Cell[];
  exercise?: { part: string; chapter: string; notebook: string; total: number };
}

export interface Cell {
  n: number;
  source: string;
  tags: string[];
  shown: boolean;
  kind: 'code';
  grade_id?: string;
  role?: 'setup' | 'answer' | 'check' | 'code';
  points?: number;
  task?: string;
  /** What a check uses of earlier ones: run before it. */
  prepare?: string;
}

// --- page to worker -------------------------------------------------------------------------------------

/** A MIME bundle, as in Jupyter: text is a string, images are base64, `+json` types are plain data. */
export type Bundle = Record<string, unknown>;

/**
 * A message of a widget's comm, the same in both directions.
 *
 * `parent` is the id of the cell that it belongs to: from the worker, of the cell that was running; to the
 * worker, of the cell whose outputs get what the callback prints and shows.
 */
export interface CommMessage {
  type: 'comm';
  comm_id: string;
  kind: 'open' | 'msg' | 'close';
  target?: string;
  data: unknown;
  metadata?: Record<string, unknown>;
  buffers?: ArrayBuffer[];
  parent?: number;
}

export type ToWorker =
  /** `root` is the absolute address of `_static/live/`; `needs` names modules that the page's cells import. */
  | { type: 'start'; root: string; manifest: Manifest; needs: string[] }
  /** `name` is how tracebacks call the cell: "cell 3". */
  | { type: 'run'; id: number; code: string; name: string }
  | CommMessage
  /** Asks for `idle` with the same number once all comm messages sent before are handled. */
  | { type: 'idle'; n: number };

// --- worker to page -------------------------------------------------------------------------------------

/** Messages that are output of the cell run under `id`. */
export type OutputMessage =
  /** `cut`: the output reached this many characters; what follows is thrown away (words.ts says it). */
  | { type: 'stream'; id: number; name: 'stdout' | 'stderr'; text: string; cut?: number }
  /** With `update`, replaces every display of `display_id`, in whichever cell it stands; not shown otherwise. */
  | { type: 'display'; id: number; data: Bundle; metadata: Bundle; display_id?: string; update?: boolean }
  | { type: 'clear'; id: number; wait: boolean }
  /** `traceback` is plain text, one entry a line, without colours: the reader's own frames alone. */
  | { type: 'error'; id: number; ename: string; evalue: string; traceback: string[] };

/** Why there is no Python (any more). words.ts has the sentence for each. */
export type Reason =
  /** The page was opened as a file. */
  | 'file'
  /** The browser has no WebAssembly. */
  | 'wasm'
  /** The browser did not let the worker start. */
  | 'worker'
  /** A file could not be had; `message` is its name. */
  | 'download'
  /** A file is not the one that it should be; `message` is its name. */
  | 'checksum'
  /** Python did not start; `message` is what it said. */
  | 'start'
  /** The memory is used up. */
  | 'memory'
  /** Calls went too deep. */
  | 'recursion'
  /** Python ended by itself; `message` is what it said. */
  | 'crash';

export type FromWorker =
  /** `text` is the file or package at hand; `done` and `all` count bytes while downloading, else steps. */
  | { type: 'progress'; stage: 'download' | 'start' | 'packages'; text: string; done: number; all: number }
  | { type: 'ready'; seconds: number }
  | OutputMessage
  | { type: 'done'; id: number; status: 'ok' | 'error'; seconds: number }
  | CommMessage
  | { type: 'idle'; n: number }
  /** Python is gone, with all definitions: the next `start` makes a new one. */
  | { type: 'failed'; reason: Reason; message: string };
