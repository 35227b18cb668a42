// Where things are. CTest passes the paths; `node --test tests/e2e/publish.test.mjs` by hand takes what
// `./dev build` has built.

import path from 'node:path';
import {fileURLToPath} from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
export const BUILD_DIR = process.env.GOD33_E2E_BUILD_DIR ?? path.join(ROOT, 'build/release');

// State of test runs: a directory for each test file, made anew by each run and kept for its logs.
export const STATE_DIR = path.join(BUILD_DIR, 'e2e-state');

// executable('event-store-manager')
export function executable(name) {
  const variable = `GOD33_E2E_${name.toUpperCase().replaceAll('-', '_')}`;
  return process.env[variable] ?? path.join(BUILD_DIR, 'bin', name);
}

// What every process gets. Nothing comes from the caller's shell, which may have read the addresses of
// some running set.
export const BASE_ENVIRONMENT = {PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8'};
