// Packs fonts as WOFF 2: node fonts.mjs JOBS, where JOBS is JSON: [{"from": ..., "to": ..., "text": the characters kept}].
// Without "text" every character is kept.
import { readFile, writeFile } from 'node:fs/promises';
import fontverter from 'fontverter';
import subsetFont from 'subset-font';

for (const { from, to, text } of JSON.parse(process.argv[2])) {
  const font = await readFile(from);
  const packed = text
    ? await subsetFont(font, text, { targetFormat: 'woff2' })
    : await fontverter.convert(font, 'woff2');
  await writeFile(to, packed);
}
