// One thing that a cell shows: the richest form that the page knows is taken.
import { markdown } from './markdown';
import type { Bundle } from './protocol';
import { sanitized } from './sanitize';
import { append, PLAIN } from './ansi';
import { words } from './words';

/** Shows a MIME type; false leaves it to the next type of the bundle. */
export type Renderer = (value: unknown, host: HTMLElement, metadata: unknown) => boolean | Promise<boolean>;

/** Characters of one thing; a page with more would no longer scroll. */
export const LARGEST = 20_000_000;

const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

type Known = (value: string, host: HTMLElement, bundle: Bundle, metadata: Bundle) => void;

const KNOWN: Record<string, Known> = {
  'text/html': (value, host) => {
    host.classList.add('text_html');
    host.append(sanitized(value));
  },
  'image/svg+xml': (value, host) => {
    host.classList.add('image_svg');
    host.append(sanitized(value.replace(/^\s*<\?xml[^>]*>|<!DOCTYPE[^>]*>/gi, '')));
  },
  ...Object.fromEntries(IMAGES.map((type) => [type, picture(type)])),
  'text/latex': (value, host) => {
    host.classList.add('text_latex', 'math', 'mathjax_process');
    host.textContent = `\\[${value.trim().replace(/^\$+|\$+$/g, '').replace(/^\\\[|\\\]$/g, '')}\\]`;
    void typeset(host);
  },
  'text/markdown': (value, host) => host.append(markdown(value)),
  'application/json': (value, host) => host.append(plain(value)),
  'text/plain': (value, host) => {
    host.classList.add('text_plain', 'highlight-myst-ansi', 'notranslate');
    host.append(plain(value));
  },
};

/** Shows a bundle in an element that is in the page. */
export async function render(
  bundle: Bundle,
  metadata: Bundle,
  host: HTMLElement,
  renderers: Record<string, Renderer>,
): Promise<void> {
  host.className = 'output';
  for (const [type, renderer] of Object.entries(renderers)) {
    if (type in bundle && (await renderer(bundle[type], host, metadata[type]))) return;
  }
  host.replaceChildren();
  const type = Object.keys(KNOWN).find((each) => each in bundle);
  if (type === undefined) {
    host.append(sentence(words.cannotShow(Object.keys(bundle).join(', '))));
    return;
  }
  const value = asText(bundle[type]);
  if (value.length > LARGEST) host.append(sentence(words.tooLarge(value.length)));
  else KNOWN[type]?.(value, host, bundle, metadata);
}

/** A sentence of the page itself, among what the cell shows. */
export function sentence(text: string): HTMLElement {
  const element = document.createElement('p');
  element.className = 'dl-said';
  element.textContent = text;
  return element;
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value.join('');
  return JSON.stringify(value, null, 2);
}

function plain(text: string): HTMLElement {
  const box = document.createElement('div');
  const pre = document.createElement('pre');
  box.className = 'highlight';
  append(pre, text, PLAIN);
  box.append(pre);
  return box;
}

function picture(type: string): Known {
  return (value, host, bundle, metadata) => {
    const image = document.createElement('img');
    const about = (metadata[type] ?? {}) as { width?: number; height?: number; alt?: string };
    image.alt = about.alt ?? (asText(bundle['text/plain'] ?? '') || words.picture);
    if (about.width !== undefined) image.width = about.width;
    if (about.height !== undefined) image.height = about.height;
    image.src = `data:${type};base64,${value.replace(/\s/g, '')}`;
    host.append(image);
  };
}

/** Has the page's MathJax set the formulas in an element. */
export async function typeset(host: HTMLElement): Promise<void> {
  const { MathJax } = window as { MathJax?: { typesetPromise?: (hosts: HTMLElement[]) => Promise<void> } };
  await MathJax?.typesetPromise?.([host]);
}
