// Printed text: lines are added as they come, and the last one can be written over, as progress bars do.
import { append, type Look, PLAIN, strip } from './ansi';

export class Stream {
  readonly element = document.createElement('div');
  private readonly pre = document.createElement('pre');
  private readonly last = document.createElement('span');
  private line = '';
  private look: Look = PLAIN;

  constructor(readonly name: 'stdout' | 'stderr') {
    this.element.className = `output ${name === 'stdout' ? 'stream' : 'stderr'} highlight-myst-ansi notranslate`;
    const box = document.createElement('div');
    box.className = 'highlight';
    this.pre.append(this.last);
    box.append(this.pre);
    this.element.append(box);
  }

  write(text: string): void {
    const lines = (this.line + text).split('\n');
    this.line = overwritten(lines.pop() ?? '');
    if (lines.length > 0) {
      const whole = document.createDocumentFragment();
      this.look = append(whole, `${lines.map((line) => ended(overwritten(line))).join('\n')}\n`, this.look);
      this.pre.insertBefore(whole, this.last);
    }
    this.last.replaceChildren();
    append(this.last, ended(this.line), this.look);
  }
}

/** What a terminal shows of a line in which \r goes back to its start and \b one place. */
function overwritten(line: string): string {
  while (/[^\b]\x08/.test(line)) line = line.replace(/[^\b]\x08/g, '');
  if (!line.includes('\r')) return line;
  let shown = '';
  for (const part of line.split('\r')) {
    if (part !== '') shown = part + (/\x1b/.test(part + shown) ? '' : shown.slice(strip(part).length));
  }
  // The next text begins at the start of the line again.
  return line.endsWith('\r') ? `${shown}\r` : shown;
}

function ended(line: string): string {
  return line.replace(/\r$/, '');
}
