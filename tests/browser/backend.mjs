/** A scripted Grafana for the browser tests: serves the page and the plugin's bundle, answers queries and resources, remembers what was asked. */
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };
const AT = Date.parse('2026-11-21T12:10:00Z');

const RUNS = [
  { id: 'r-3', title: 'NetworkChaos chaos/web-delay', at: '2026-11-21T12:40:00Z', state: 'running' },
  { id: 'r-2', title: 'PodChaos chaos/kill-one', at: '2026-11-21T12:20:00Z', state: 'completed' },
  { id: 'r-1', title: 'StressChaos chaos/burn-cpu', at: '2026-11-21T12:05:00Z', state: 'recovery_failed' },
];
const VALUES = {
  'field:kind': ['IOChaos', 'NetworkChaos', 'PodChaos', 'StressChaos'],
  'field:namespace': ['chaos', 'shop'],
  'field:target_pod': ['web-0', 'web-1'],
  kinds: ['NetworkChaos', 'PodChaos'],
  namespaces: ['chaos', 'shop'],
  experiments: ['web-delay', 'kill-one'],
};

const field = (name, type, values) => ({ name, type, values });
const frame = (refId, fields, meta) => ({
  schema: { refId, name: refId, meta, fields: fields.map(({ name, type }) => ({ name, type })) },
  data: { values: fields.map(({ values }) => values) },
});

function answer(query) {
  if (query.queryType === 'values') {
    const values = VALUES[query.list] ?? [];
    return frame(query.refId, [field('text', 'string', values), field('value', 'string', values)]);
  }
  if (query.queryType === 'annotations') {
    return frame(query.refId, [
      field('time', 'time', [AT, AT + 60_000]),
      field('timeEnd', 'time', [AT + 600_000, null]),
      field('title', 'string', ['NetworkChaos chaos/web-delay', 'PodChaos chaos/kill-one']),
      field('text', 'string', ['delay 100ms on 3 targets', 'pod-kill on 1 target']),
      field('tags', 'string', ['NetworkChaos,running', 'PodChaos,completed']),
      field('id', 'string', ['r-3', 'r-2']),
      field('newState', 'string', ['alerting', 'ok']),
    ]);
  }
  const meta = query.stream ? { channel: 'ds/chaos/q/abc' } : undefined;
  return frame(query.refId, [field('started_at', 'time', [AT]), field('name', 'string', ['web-delay'])], meta);
}

export class Backend {
  /** What was asked: `{path, search, body}`, the newest last. */
  asked = [];
  /** Set to make every request fail with this text. */
  failing = null;

  constructor(folders) {
    this.server = createServer((request, response) => this.handle(request, response, folders));
  }

  async listen() {
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${this.server.address().port}/`;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  last(path) {
    return this.asked.filter((it) => it.path.endsWith(path)).at(-1);
  }

  async handle(request, response, folders) {
    const { pathname, search } = new URL(request.url, 'http://x');
    if (!pathname.startsWith('/api/')) {
      return file(response, pathname, folders);
    }
    let text = '';
    for await (const piece of request) {
      text += piece;
    }
    const body = text ? JSON.parse(text) : undefined;
    this.asked.push({ path: pathname, search, body });
    const [status, said] = this.failing ? [502, { error: this.failing }] : this.say(pathname, body);
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(said));
  }

  say(path, body) {
    if (path === '/api/ds/query') {
      return [200, { results: Object.fromEntries(body.queries.map((query) => [query.refId, { status: 200, frames: [answer(query)] }])) }];
    }
    switch (path.replace('/api/datasources/uid/chaos/resources/', '')) {
      case 'preview':
        return [200, preview(body)];
      case 'values':
        return [200, { values: VALUES[body.list] ?? [], notices: [] }];
      case 'tag-keys':
        return [200, [{ text: 'kind' }, { text: 'namespace' }]];
      default:
        return [404, { error: `there is no ${path}` }];
    }
  }
}

function preview({ filters }) {
  const rows = RUNS.filter((run) => !filters?.kind || filters.kind.some((kind) => run.title.startsWith(kind)));
  return { total: rows.length, cut: false, rows, notices: [] };
}

function file(response, pathname, folders) {
  const name = normalize(pathname === '/' ? '/index.html' : pathname.replace('/public/build/', '/public/'));
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path) && extname(path));
  if (!found) {
    // Icons that were renamed since: an empty one is as good as none.
    const icon = pathname.endsWith('.svg');
    response.writeHead(icon ? 200 : 404, { 'Content-Type': TYPES['.svg'] }).end(icon ? '<svg xmlns="http://www.w3.org/2000/svg"/>' : '');
    return;
  }
  response.writeHead(200, { 'Content-Type': TYPES[extname(found)] ?? 'application/octet-stream' });
  createReadStream(found).pipe(response);
}
