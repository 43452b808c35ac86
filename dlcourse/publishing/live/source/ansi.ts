// Text with the escape codes of terminals, as elements: colours and weight are kept, the rest is left out.

const CODE = /\x1b\[([\d;:?]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]/g;
const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/** How the text looks at a place; it goes on from one piece of text to the next. */
export interface Look {
  colour: string;
  bold: boolean;
}

export const PLAIN: Look = { colour: '', bold: false };

/** Appends text to a node and returns the look at its end. */
export function append(host: Node, text: string, look: Look): Look {
  let from = 0;
  for (const match of text.matchAll(CODE)) {
    appendPlain(host, text.slice(from, match.index), look);
    if (match[2] === 'm') look = changed(look, match[1] ?? '');
    from = match.index + match[0].length;
  }
  appendPlain(host, text.slice(from), look);
  return look;
}

/** Leaves out every code. */
export function strip(text: string): string {
  return text.replace(CODE, '');
}

function appendPlain(host: Node, text: string, look: Look): void {
  if (text === '') return;
  if (look.colour === '' && !look.bold) {
    host.appendChild(document.createTextNode(text));
    return;
  }
  const span = document.createElement('span');
  if (look.colour !== '') span.classList.add(`dl-ansi-${look.colour}`);
  if (look.bold) span.classList.add('dl-ansi-bold');
  span.textContent = text;
  host.appendChild(span);
}

function changed(look: Look, parameters: string): Look {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 0) look = PLAIN;
    else if (code === 1) look = { ...look, bold: true };
    else if (code === 22) look = { ...look, bold: false };
    else if (code === 39) look = { ...look, colour: '' };
    else if (code >= 30 && code <= 37) look = { ...look, colour: NAMES[code - 30] ?? '' };
    else if (code >= 90 && code <= 97) look = { ...look, colour: NAMES[code - 90] ?? '' };
    // A colour of the large palettes, of the text or the ground: its numbers are no codes.
    else if (code === 38 || code === 48) at += codes[at + 1] === 5 ? 2 : 4;
  }
  return look;
}
