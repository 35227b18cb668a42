// REST by curl.

import {BASE_ENVIRONMENT} from './environment.mjs';
import {run} from './run.mjs';

export class Rest {
  constructor(address) {
    this.base = `http://${address}`;
  }

  // Returns {status, headers (lower case), text}. `parameters` is an object or a list of pairs.
  async get(path, parameters = []) {
    return this.request(['--request', 'GET'], path, parameters);
  }

  async post(path, body, headers = ['Content-Type: application/json'], parameters = []) {
    const args = ['--request', 'POST', '--data-binary', '@-', ...headers.flatMap((header) => ['--header', header])];
    return this.request(args, path, parameters, body);
  }

  async request(args, path, parameters = [], input) {
    const query = new URLSearchParams(parameters).toString();
    const url = this.base + path + (query && `?${query}`);
    const result = await run('curl', ['--silent', '--show-error', '--include', '--max-time', '60',
      '--header', 'Expect:', ...args, url], {env: BASE_ENVIRONMENT, input});
    if (result.code !== 0) throw new Error(`curl ${url}: exit code ${result.code}: ${result.stderr}`);
    return parse(result.stdout.toString());
  }
}

function parse(output) {
  const end = output.indexOf('\r\n\r\n');
  const [first, ...lines] = output.slice(0, end).split('\r\n');
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return {status: Number(first.split(' ')[1]), headers, text: output.slice(end + 4)};
}
