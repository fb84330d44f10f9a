/** The editors: what they show, and what they save, all by keyboard. */
import assert from 'node:assert/strict';

export default async function ({ check, mount, saved, picture, press, tabTo, choose, nameless, until, page, backend }) {
  const focusTop = () => page.evaluate(() => document.activeElement?.blur());

  await check('query editor: shows what is saved, and how much it finds', async () => {
    await mount('panel', {
      refId: 'A',
      queryType: 'runs',
      filters: { kind: ['NetworkChaos', 'PodChaos'], target_pod: ['web-*', '!~web-canary-.*'] },
      limit: 50,
    });
    await page.getByText('2 runs match these filters in this time.').waitFor();
    assert.deepEqual(backend.last('preview').body.filters.target_pod, ['web-*', '!~web-canary-.*']);
    assert.match(backend.last('preview').search, /^\?from=1795262400000&to=1795266000000$/);
    await page.getByRole('button', { name: 'Show the first' }).focus();
    await press('Enter');
    await page.getByText('NetworkChaos chaos/web-delay').waitFor();
    await page.getByRole('cell', { name: 'completed' }).waitFor();
    assert.deepEqual(await nameless(), []);
    await picture('query-light');
    await mount('panel', { refId: 'A', queryType: 'active', form: 'series', by: ['kind'], filters: { phase: ['running'] } }, [], true);
    await page.getByText('runs match').waitFor();
    await picture('query-dark');
  });

  await check('query editor: a query made by keyboard alone', async () => {
    await mount('panel', { refId: 'A', queryType: 'runs', filters: {} });
    await page.getByText('3 runs match').waitFor();
    await focusTop();
    await tabTo('Live');
    await press('Space');
    await until('live', async () => (await saved()).stream === true);
    await press('Space');
    await focusTop();
    await tabTo('What is shown');
    await choose('Timeline');
    await until('a timeline', async () => (await saved()).queryType === 'timeline');
    await tabTo('Experiment');
    await press('ArrowRight');
    await until('rows of targets', async () => (await saved()).rows === 'target');
    await tabTo('Limit');
    await page.keyboard.type('20');
    await tabTo('Add filter');
    await press('Enter');
    await press('Shift+Tab', 'Shift+Tab');
    await page.keyboard.type('Netw');
    await page.getByText('NetworkChaos', { exact: true }).waitFor();
    await press('Enter', 'Escape');
    await until('a kind', async () => (await saved()).filters.kind?.[0] === 'NetworkChaos');
    await tabTo('Add filter');
    await press('Enter');
    await press('Shift+Tab', 'Shift+Tab', 'Shift+Tab', 'Shift+Tab');
    await choose('Target pod');
    await tabTo('Operator of filter 2');
    await choose('is not');
    await tabTo('Values of filter 2: Target pod');
    await page.keyboard.type('web-canary-*');
    await page.getByText('Use web-canary-*').waitFor();
    await press('Enter', 'Escape');
    await tabTo('Match this dashboard');
    await press('Space');
    assert.equal(await page.getByLabel('Live').count(), 0, 'a timeline is more than one table');
    assert.deepEqual(await saved(), {
      refId: 'A',
      queryType: 'timeline',
      rows: 'target',
      filters: { kind: ['NetworkChaos'], target_pod: ['!web-canary-*'] },
      limit: 20,
      matchDashboard: true,
    });
    await picture('query-made');
    await focusTop();
    await tabTo('Remove filter 1');
    await press('Enter');
    await until('one filter less', async () => !(await saved()).filters.kind);
    assert.deepEqual((await saved()).filters, { target_pod: ['!web-canary-*'] });
  });

  await check('query editor: the list of types and of values, open', async () => {
    await mount('explore', { refId: 'A', queryType: 'logs', filters: { kind: [] } });
    await page.getByText('3 events match').waitFor();
    assert.equal(backend.last('preview').body.queryType, 'events');
    await page.getByLabel('What is shown').focus();
    await press('ArrowDown');
    await page.getByText('Who', { exact: false }).first().waitFor();
    await page.getByText('For the state timeline panel').waitFor();
    await picture('types-open');
    await press('Escape');
  });

  await check('query editor: a limit that is none is told and not saved', async () => {
    await mount('panel', { refId: 'A', queryType: 'runs', filters: {}, limit: null });
    await page.getByLabel('Limit').fill('many');
    await page.getByText('A whole number above 0').waitFor();
    await press('Tab');
    assert.equal((await saved()).limit, null);
  });

  await check('query editor: what cannot be asked is told', async () => {
    backend.failing = 'the origin refused the token (401): write a new one into the settings';
    await mount('panel', { refId: 'A', queryType: 'runs', filters: {} });
    await page.getByText('Cannot be asked: the origin refused the token (401)').waitFor();
    backend.failing = null;
    await picture('query-failed');
  });

  await check('query editor: an alert rule has no switches that do nothing there', async () => {
    await mount('alert', { refId: 'A', queryType: 'active', form: 'instant', filters: {} });
    await page.getByText('runs match').waitFor();
    assert.equal(await page.getByLabel('Match this dashboard').count(), 0);
    assert.equal(await page.getByLabel('Live').count(), 0);
  });

  await check('query editor: a query of the old plugin is shown, and becomes ours only when asked', async () => {
    const old = { refId: 'A', namespace: 'chaos', kind: 'NetworkChaos', name: '', limit: null, start: 'x' };
    await mount('panel', old);
    await page.getByText('A query of the Chaos Mesh plugin').waitFor();
    assert.deepEqual(await saved(), old);
    await picture('query-old');
    await focusTop();
    await tabTo('Make it a query of Chaoscope');
    await press('Enter');
    await until('ours', async () => (await saved()).queryType === 'events');
    assert.deepEqual((await saved()).filters, { namespace: ['chaos'], kind: ['NetworkChaos'] });
  });

  await check('variable editor: a list and a chained filter', async () => {
    await mount('variable', { refId: 'x', queryType: 'values', list: 'kinds', filters: {} });
    await tabTo('What is listed');
    await choose('Experiments');
    await tabTo('Add filter');
    await press('Enter');
    await press('Shift+Tab', 'Shift+Tab', 'Shift+Tab', 'Shift+Tab');
    await choose('Namespace');
    await tabTo('Values of filter 1: Namespace');
    await page.keyboard.type('$ns');
    await page.getByText('Use $ns').waitFor();
    await press('Enter', 'Escape');
    await until('chained', async () => (await saved()).filters?.namespace?.[0] === '$ns');
    assert.deepEqual(await saved(), { refId: 'x', queryType: 'values', list: 'experiments', filters: { namespace: ['$ns'] } });
    assert.deepEqual(await nameless(), []);
    await picture('variable');
  });

  await check('annotation editor: filters, switches, preview', async () => {
    await mount('annotation', { refId: 'Anno', queryType: 'annotations', filters: {} });
    await page.getByText('3 runs match').waitFor();
    await tabTo('Match this dashboard');
    await press('Space');
    await tabTo('Upcoming runs too');
    await press('Space');
    assert.deepEqual(await saved(), { refId: 'Anno', queryType: 'annotations', filters: {}, matchDashboard: true, upcoming: true });
    await page.getByText('these filters and this dashboard’s variables').waitFor();
    assert.deepEqual(await nameless(), []);
    await picture('annotation');
  });

  await check('help: an example is a query with one key', async () => {
    await mount('help', { refId: 'A' });
    await focusTop();
    await tabTo('Use: What went wrong?');
    await press('Enter');
    assert.deepEqual((await saved()).filters.outcome, ['injection_failed', 'recovery_failed', 'forced', 'lost']);
    await picture('help');
  });

  await check('settings: what is written is saved, secrets apart', async () => {
    await mount('config', {
      url: '',
      basicAuth: false,
      basicAuthUser: '',
      jsonData: {},
      secureJsonFields: { tlsCACert: true },
      secureJsonData: {},
    });
    await page.getByText('Every viewer of this datasource sees what its one token sees').waitFor();
    await picture('config');
    await tabTo('URL');
    await page.keyboard.type('http://chaoscope:10765');
    await tabTo('Cluster');
    await page.keyboard.type('prod');
    await tabTo('Status page');
    await page.keyboard.type('https://chaos.example.org');
    await tabTo('Token');
    await page.keyboard.type('secret-token');
    await tabTo('Basic authentication');
    await press('Space');
    await tabTo('User');
    await page.keyboard.type('me');
    await tabTo('Password');
    await page.keyboard.type('pw');
    await tabTo('TLS');
    await press('Enter');
    await tabTo('Skip verification');
    await press('Space');
    await tabTo('Filters that always hold');
    await press('Enter');
    await tabTo('Requests');
    await press('Enter');
    await tabTo('Timeout');
    await page.keyboard.type('15');
    await tabTo('Headers');
    await press('Enter');
    await tabTo('Add header');
    await press('Enter', 'Shift+Tab', 'Shift+Tab', 'Shift+Tab');
    await page.keyboard.type('X-Team');
    await press('Tab');
    await page.keyboard.type('blue');
    const { url, basicAuth, basicAuthUser, jsonData, secureJsonData } = await saved();
    assert.deepEqual({ url, basicAuth, basicAuthUser }, { url: 'http://chaoscope:10765', basicAuth: true, basicAuthUser: 'me' });
    const wanted = { cluster: 'prod', publicUrl: 'https://chaos.example.org', tlsSkipVerify: true, timeout: 15, httpHeaderName1: 'X-Team' };
    assert.deepEqual(jsonData, wanted);
    assert.deepEqual(secureJsonData, { token: 'secret-token', basicAuthPassword: 'pw', httpHeaderValue1: 'blue' });
    assert.deepEqual(await nameless(), []);
    await picture('config-open');
  });

  await check('settings: a Chaos Dashboard, identity forwarded, what is set already', async () => {
    const given = {
      url: 'http://d:2333',
      basicAuth: false,
      jsonData: { origin: 'dashboard', oauthPassThru: true, tlsAuthWithCACert: true, filters: { namespace: ['shop'] } },
      secureJsonFields: { token: true, tlsCACert: true },
      secureJsonData: {},
    };
    await mount('config', given, [], true);
    await page.getByText('since a Chaos Dashboard does not tell').waitFor();
    assert.equal(await page.getByText('Every viewer of this datasource').count(), 0);
    await picture('config-dark');
    await page.getByRole('button', { name: 'Reset' }).first().focus();
    await press('Enter');
    assert.equal((await saved()).secureJsonFields.token, false);
  });
}
