/**
 * Writes the dashboards: `node dashboards/source/build.mjs` into dashboards/, or into the folder that is named.
 *
 * They are made from these sources because 140 panels have a place, an id, a datasource and options each that nobody can keep right by hand;
 * a test makes them anew and compares. To add a dashboard: a file here, a line in `parts.mjs` (PAGES), one below.
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { application } from './application.mjs';
import { components } from './components.mjs';
import { experiment } from './experiment.mjs';
import { node } from './node.mjs';
import { overview } from './overview.mjs';

/** What fits into a line is one: a panel is then some twenty lines, and a change of it a readable one. */
function print(value, indent = '') {
  const short = JSON.stringify(value).replace(/("(?:[^"\\\\]|\\\\.)*")|([,:])/g, (_, string, mark) => string ?? `${mark} `);
  if (typeof value !== 'object' || value === null || (indent !== '' && short.length + indent.length <= 140)) {
    return typeof value === 'object' ? short : JSON.stringify(value);
  }
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const deeper = `${indent}  `;
  const lines = Object.entries(value).map(([key, it]) => `${deeper}${Array.isArray(value) ? '' : `${JSON.stringify(key)}: `}${print(it, deeper)}`);
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

const folder = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..');
for (const [name, made] of Object.entries({ overview, experiment, node, components, application })) {
  writeFileSync(join(folder, `${name}.json`), `${print(made)}\n`);
}
