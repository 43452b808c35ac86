// Which wheels cells need, read off their imports. Python finds the others itself, one by one, when it runs.
import type { Manifest } from './protocol';

/** Dotted names of the modules that sources import; an import in a string does no harm. */
export function importsOf(sources: Iterable<string>): string[] {
  const names = new Set<string>();
  for (const source of sources) {
    for (const [, from, list] of source.matchAll(/^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+)?import[ \t]+([^#\n]+)/gm)) {
      if (from !== undefined) names.add(from);
      for (const each of (list ?? '').replace(/[()\\]/g, '').split(',')) {
        const name = each.trim().split(/\s/)[0];
        if (name) names.add(from === undefined ? name : `${from}.${name}`);
      }
    }
  }
  return [...names];
}

/** Names of the wheels for modules or wheels, with those that they need, in the order of loading. */
export function wheelsFor(names: Iterable<string>, { wheels, needs }: Manifest): string[] {
  const found = new Set<string>();
  const waiting = [...names];
  const seen = new Set<string>();
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    if (name in wheels) found.add(name);
    waiting.push(...(needs[name] ?? []));
    if (name.includes('.')) waiting.push(name.slice(0, name.lastIndexOf('.')));
  }
  return Object.keys(wheels).filter((name) => found.has(name));
}
