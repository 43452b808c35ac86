// The little Markdown that cells display: headings, lists, paragraphs, code, and words that are strong or stressed.

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|_([^_]+)_/g;

export function markdown(text: string): DocumentFragment {
  const page = document.createDocumentFragment();
  for (const block of text.match(/^```[^]*?^```|(?:(?!```).+\n?)+/gm) ?? []) {
    page.append(element(block.replace(/^\n+|\s+$/g, '')));
  }
  return page;
}

function element(block: string): HTMLElement {
  const heading = /^(#{1,6})\s+(.*)$/.exec(block);
  // Headings of the page would be in its outline; those of an output are not.
  if (heading !== null) return filled('p', `**${heading[2]}**`);
  const lines = block.split('\n');
  for (const [tag, mark] of [['ul', /^\s*[-*+]\s+/], ['ol', /^\s*\d+[.)]\s+/]] as const) {
    if (!lines.every((line) => mark.test(line))) continue;
    const list = document.createElement(tag);
    list.append(...lines.map((line) => filled('li', line.replace(mark, ''))));
    return list;
  }
  if (block.startsWith('```')) {
    const pre = document.createElement('pre');
    pre.textContent = block.replace(/^```.*\n?|\n?```$/g, '');
    return pre;
  }
  return filled('p', block);
}

function filled(tag: string, text: string): HTMLElement {
  const host = document.createElement(tag);
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    host.append(text.slice(from, match.index));
    const inner = document.createElement(match[1] !== undefined ? 'code' : match[2] !== undefined ? 'strong' : 'em');
    inner.textContent = match[1] ?? match[2] ?? match[3] ?? match[4] ?? '';
    host.append(inner);
    from = match.index + match[0].length;
  }
  host.append(text.slice(from));
  return host;
}
