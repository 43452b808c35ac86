// Files of the site, each compared with its SHA-256 before anything uses it.
import { Failure } from './failure';
import type { Manifest } from './protocol';

/** Told the file at hand, the bytes that are there and those that there will be, over all downloads. */
export type Progress = (name: string, done: number, all: number) => void;

export class Downloads {
  private readonly started = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  private readonly finished = new Map<string, Uint8Array<ArrayBuffer>>();
  private done = 0;
  private all = 0;

  constructor(
    readonly root: string,
    readonly manifest: Manifest,
    readonly onProgress: Progress,
  ) {}

  /** Absolute address of a file. */
  url(address: string): string {
    return new URL(address, this.root).href;
  }

  /** Bytes that are there already. */
  at(address: string): Uint8Array<ArrayBuffer> | undefined {
    return this.finished.get(address);
  }

  /**
   * Fetches a file once.
   *
   * @param onResponse is given the response as it begins to come, to compile what streams in
   */
  get(address: string, onResponse?: (response: Response) => void): Promise<Uint8Array<ArrayBuffer>> {
    let started = this.started.get(address);
    if (started === undefined) {
      this.all += this.manifest.files[address]?.size ?? 0;
      started = this.fetch(address, onResponse);
      started.then(
        (bytes) => this.finished.set(address, bytes),
        // Asked for again, it is tried again.
        () => this.started.delete(address),
      );
      this.started.set(address, started);
    }
    return started;
  }

  /** Forgets a file's bytes, once they are unpacked. */
  release(address: string): void {
    this.finished.delete(address);
  }

  private async fetch(address: string, onResponse?: (response: Response) => void) {
    // What the browser kept is good however old: its hash says so.
    const kept = await this.read(address, 'force-cache', onResponse);
    if (await this.isRight(address, kept)) return kept;
    this.done -= kept.length;
    const fresh = await this.read(address, 'reload', onResponse);
    if (await this.isRight(address, fresh)) return fresh;
    throw new Failure('checksum', nameOf(address));
  }

  private async read(address: string, cache: RequestCache, onResponse?: (response: Response) => void) {
    const name = nameOf(address);
    const size = this.manifest.files[address]?.size ?? 0;
    try {
      const response = await fetch(this.url(address), { cache, ...this.integrity(address) });
      if (!response.ok || response.body === null) throw new Failure('download', name);
      const copy = onResponse === undefined ? response : response.clone();
      onResponse?.(response);
      const bytes = new Uint8Array(size);
      const reader = (copy.body as ReadableStream<Uint8Array>).getReader();
      let at = 0;
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        // A longer file is another file, of which its beginning is as wrong.
        bytes.set(part.value.subarray(0, size - at), at);
        at += part.value.length;
        this.done += part.value.length;
        this.onProgress(name, this.done, this.all);
      }
      return at === size ? bytes : bytes.subarray(0, 0);
    } catch (error) {
      throw error instanceof Failure ? error : new Failure('download', name);
    }
  }

  // A site without HTTPS has no crypto.subtle: there the browser compares, and says less when it fails.
  private integrity(address: string): RequestInit {
    if (crypto.subtle !== undefined) return {};
    const digits = this.manifest.files[address]?.sha256.match(/../g) ?? [];
    return { integrity: `sha256-${btoa(String.fromCharCode(...digits.map((each) => parseInt(each, 16))))}` };
  }

  private async isRight(address: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const file = this.manifest.files[address];
    if (file === undefined || bytes.length !== file.size) return false;
    if (crypto.subtle === undefined) return true;
    return hex(await crypto.subtle.digest('SHA-256', bytes)) === file.sha256;
  }
}

function hex(digest: ArrayBuffer): string {
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A file's own name, as sentences call it. */
export function nameOf(address: string): string {
  return address.slice(address.lastIndexOf('/') + 1);
}
