// Python itself: Pyodide, started from files that were checked, and the wheels put in their place.
import { Downloads, nameOf } from './downloads';
import { Failure } from './failure';
import { wheelsFor } from './imports';
import type { Manifest } from './protocol';

/** A Python object in JavaScript. */
export interface PyProxy {
  toJs(options: object): unknown;
}

/** The modules of Python that are called from here. */
export interface Boot extends PyProxy {
  start(send: (message: PyProxy) => void, names: string[], unpack: (name: string) => string): void;
  run_cell(id: number, code: string, name: string): Promise<'ok' | 'error'>;
  handle(message: unknown): void;
}

export interface Overflow extends PyProxy {
  watch(): void;
}

export interface Pyodide {
  pyimport(name: string): unknown;
  runPython(code: string): unknown;
  toPy(value: unknown): unknown;
  unpackArchive(bytes: Uint8Array, format: string): void;
  registerJsModule(name: string, module: object): void;
  _module: unknown;
  _api: { on_fatal?: (error: unknown) => void };
}

interface Core {
  loadPyodide(options: object): Promise<Pyodide>;
}

/** The site's Python: starts it, then has its wheels ready before they are imported. */
export class Site {
  private readonly unpacked = new Set<string>();
  private pyodide: Pyodide | undefined;

  constructor(
    readonly manifest: Manifest,
    readonly downloads: Downloads,
  ) {}

  /** Starts Python with the wheels that every page needs; those of `needs` come meanwhile. */
  async start(needs: string[]): Promise<Pyodide> {
    const { core } = this.manifest;
    const get = (name: string) => this.downloads.get(core + name);
    let compiled: Promise<WebAssembly.Module> | undefined;
    const wasm = this.downloads.get(`${core}pyodide.asm.wasm`, (response) => {
      // Compiling begins with the first bytes; nothing runs before all of them are checked.
      compiled = WebAssembly.compileStreaming(response);
      compiled.catch(() => {});
    });
    const library = get('python_stdlib.zip');
    const lock = this.downloads.get('python/pyodide-lock.json');
    const modules = Promise.all(['pyodide.mjs', 'pyodide.asm.mjs'].map((name) => this.module(core + name)));
    const first = wheelsFor(this.manifest.start, this.manifest);
    const wheels = Promise.all(first.map((name) => this.wheel(name)));
    this.prepare(needs);
    const checked = Promise.all([wasm, library, lock, modules, wheels]);

    const module = wasm.then((bytes) =>
      // A server that sends another content type than application/wasm only costs time.
      (compiled ?? Promise.reject(new TypeError())).catch(() => WebAssembly.compile(bytes)),
    );
    module.catch(() => {});
    const [{ loadPyodide }, { default: createPyodideModule }] = (await this.either(modules, checked)) as [
      Core,
      { default: unknown },
    ];
    const options = {
      indexURL: this.downloads.url(core),
      createPyodideModule,
      convertNullToNone: true,
      lockFileContents: lock.then((bytes) => new TextDecoder().decode(bytes)),
    };
    const loading = fromCheckedFiles(module, await this.either(library, checked), () => loadPyodide(options));
    this.pyodide = await this.either(loading, checked);
    // Each wheel that is unpacked makes importers forget what they know: this one would read its whole table again.
    this.pyodide.runPython('import zipimport; zipimport.zipimporter.invalidate_caches = lambda self: None');
    await wheels;
    for (const name of first) this.unpack(name);
    return this.pyodide;
  }

  /** Fetches the wheels of modules; those that cannot be had are told of when they are imported. */
  async prepare(names: string[]): Promise<void> {
    const wanted = wheelsFor(names, this.manifest).filter((name) => !this.unpacked.has(name));
    await Promise.allSettled(wanted.map((name) => this.wheel(name)));
  }

  /** Modules for which `unpackFor` has wheels. */
  get names(): string[] {
    return [...Object.keys(this.manifest.wheels), ...Object.keys(this.manifest.needs)];
  }

  /** Puts the wheels that a module needs in place, at once; returns '' or a sentence on why it could not. */
  readonly unpackFor = (name: string): string => {
    const wanted = wheelsFor([name], this.manifest).filter((each) => !this.unpacked.has(each));
    for (const each of wanted) {
      const refusal = this.unpack(each);
      if (refusal !== '') return refusal;
    }
    return '';
  };

  private wheel(name: string): Promise<Uint8Array> {
    return this.downloads.get(this.manifest.wheels[name] as string);
  }

  private unpack(name: string): string {
    const address = this.manifest.wheels[name] as string;
    const bytes = this.downloads.at(address) ?? this.fetchNow(address);
    if (typeof bytes === 'string') return bytes;
    this.pyodide?.unpackArchive(bytes, 'wheel');
    this.unpacked.add(name);
    this.downloads.release(address);
    return '';
  }

  // Python's import cannot wait for a promise. Returns why it failed where it did.
  private fetchNow(address: string): Uint8Array | string {
    const request = new XMLHttpRequest();
    request.open('GET', this.downloads.url(address), false);
    request.responseType = 'arraybuffer';
    try {
      request.send();
    } catch {
      return `${nameOf(address)} could not be downloaded: try again when the network is there.`;
    }
    if (request.status !== 200) {
      return `${nameOf(address)} could not be downloaded: the site answered ${request.status}.`;
    }
    const bytes = new Uint8Array(request.response as ArrayBuffer);
    const hashlib = this.pyodide?.pyimport('hashlib') as {
      sha256(bytes: unknown): { hexdigest(): string };
    };
    const view = this.pyodide?.toPy(bytes);
    if (hashlib.sha256(view).hexdigest() !== this.manifest.files[address]?.sha256) {
      return (
        `${nameOf(address)} is not the file that it should be, so it was not used: ` +
        'reload the page, and tell those who run the site if that does not help.'
      );
    }
    return bytes;
  }

  // Imports a script after its check: from the same site under its address, which a strict policy allows; from
  // elsewhere, where a second answer could differ, exactly the bytes that were checked.
  private async module(address: string): Promise<unknown> {
    const bytes = await this.downloads.get(address);
    const url = this.downloads.url(address);
    if (new URL(url).origin === location.origin) return import(url);
    const own = URL.createObjectURL(new Blob([bytes], { type: 'text/javascript' }));
    try {
      return await import(own);
    } finally {
      URL.revokeObjectURL(own);
    }
  }

  // Waits, but not for what will never come because a file is missing or wrong.
  private async either<T>(wanted: Promise<T>, checked: Promise<unknown>): Promise<T> {
    wanted.catch(() => {});
    const never = new Promise<never>((_, reject) => checked.catch(reject));
    try {
      return await Promise.race([wanted, never]);
    } catch (error) {
      throw error instanceof Failure ? error : new Failure('start', String(error));
    }
  }
}

// Pyodide fetches its WebAssembly and its library itself: for that moment, it is given those that were checked.
async function fromCheckedFiles<T>(
  module: Promise<WebAssembly.Module>,
  library: Uint8Array<ArrayBuffer>,
  load: () => Promise<T>,
): Promise<T> {
  const { fetch } = self;
  const { instantiateStreaming } = WebAssembly;
  self.fetch = async (input) => new Response(String(input).endsWith('.zip') ? library : null);
  WebAssembly.instantiateStreaming = async (_, imports) => {
    const compiled = await module;
    return { module: compiled, instance: await WebAssembly.instantiate(compiled, imports) };
  };
  try {
    return await load();
  } finally {
    self.fetch = fetch;
    WebAssembly.instantiateStreaming = instantiateStreaming;
  }
}
