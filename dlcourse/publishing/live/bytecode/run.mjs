// Runs inside.py in Pyodide: node run.mjs FOLDER_OF_PYODIDE WORK
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [core, work] = process.argv.slice(2);
try {
  const { loadPyodide } = await import(pathToFileURL(`${core}/pyodide.mjs`).href);
  const pyodide = await loadPyodide({ indexURL: core, lockFileContents: readFileSync(`${work}/lock.json`, 'utf8') });
  pyodide.mountNodeFS('/work', work);
  pyodide.runPython(readFileSync(new URL('inside.py', import.meta.url), 'utf8'));
  await pyodide.globals.get('main')();
} catch (error) {
  // Node itself would print the line of the script, which is all of Pyodide.
  console.error(error.message);
  process.exit(1);
}
