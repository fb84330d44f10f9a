/**
 * The page of the browser tests: Grafana's real libraries, the plugin's real bundle loaded as Grafana loads it (AMD, libraries handed in by
 * name), and its components mounted as Grafana mounts them. Requests go to the scripted backend of `drive.mjs`.
 *
 * `window.chaoscope` is what the driver uses: `mount(what, saved)`, `saved` (what the editor would save), `ask…`.
 */
import * as emotion from '@emotion/css';
import * as data from '@grafana/data';
import * as runtime from '@grafana/runtime';
import * as scenes from '@grafana/scenes';
import * as ui from '@grafana/ui';
import * as lodash from 'lodash';
import * as moment from 'moment';
import React from 'react';
import * as ReactAll from 'react';
import * as ReactDom from 'react-dom';
import { createRoot } from 'react-dom/client';
import * as rxjs from 'rxjs';
import * as operators from 'rxjs/operators';

const LIBRARIES = {
  '@emotion/css': emotion,
  '@grafana/data': data,
  '@grafana/runtime': runtime,
  '@grafana/ui': ui,
  lodash,
  moment,
  react: ReactAll,
  'react-dom': ReactDom,
  rxjs,
  'rxjs/operators': operators,
};

const RANGE = {
  from: data.dateTime('2026-11-21T12:00:00Z'),
  to: data.dateTime('2026-11-21T13:00:00Z'),
  raw: { from: '2026-11-21T12:00:00Z', to: '2026-11-21T13:00:00Z' },
};
const REF = { type: 'chaoscope-events-datasource', uid: 'chaos' };

/** Grafana's request service, as far as datasources use it. */
function request({ url, method = 'GET', data: body, params, headers }) {
  return new rxjs.Observable((observer) => {
    const stop = new AbortController();
    const query = params && Object.keys(params).length > 0 ? `?${new URLSearchParams(params)}` : '';
    fetch(`/${url.replace(/^\//, '')}${query}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      body: body && JSON.stringify(body),
      signal: stop.signal,
    })
      .then(async (answer) => {
        const found = await answer.json();
        if (!answer.ok) {
          throw { status: answer.status, statusText: answer.statusText, data: found };
        }
        observer.next({ status: answer.status, ok: true, data: found });
        observer.complete();
      })
      .catch((error) => stop.signal.aborted || observer.error(error));
    return () => stop.abort();
  });
}

function prepare(plugin) {
  const settings = {
    id: 1,
    uid: REF.uid,
    type: REF.type,
    name: 'Chaos',
    url: '/',
    access: 'proxy',
    readOnly: false,
    jsonData: {},
    meta: { id: REF.type, info: {}, annotations: true },
    rawRef: REF,
  };
  runtime.setBackendSrv({ fetch: request });
  const datasource = new plugin.DataSourceClass(settings);
  datasource.meta = settings.meta;
  runtime.setDataSourceSrv({ get: async () => datasource, getInstanceSettings: () => settings, getList: () => [settings] });
  runtime.setRunRequest((asked, ask, other) =>
    rxjs.from(other ? other(ask) : asked.query(ask)).pipe(
      operators.map((answer) => ({
        state: answer.state ?? 'Done',
        series: answer.data,
        errors: answer.errors,
        timeRange: ask.range,
        request: ask,
      }))
    )
  );
  return datasource;
}

/** A dashboard's variables, by the real interpolation of scenes. */
function dashboard(variables, layers = []) {
  const made = variables.map(({ name, value, query, ...more }) =>
    query
      ? new scenes.QueryVariable({ name, query, datasource: REF, ...more })
      : new scenes.CustomVariable({ name, value, text: value, query: [value].flat().join(','), isMulti: Array.isArray(value), ...more })
  );
  const scene = new scenes.EmbeddedScene({
    $timeRange: new scenes.SceneTimeRange({ from: RANGE.raw.from, to: RANGE.raw.to }),
    $variables: new scenes.SceneVariableSet({ variables: made }),
    $data: new scenes.SceneDataLayerSet({ layers }),
    body: new scenes.SceneFlexLayout({ children: [] }),
  });
  runtime.setTemplateSrv({
    replace: (text, scoped, format) => scenes.sceneGraph.interpolate(scene, text, scoped, format),
    getVariables: () =>
      scenes.sceneUtils?.sceneVariablesSetToVariables?.(scene.state.$variables) ?? made.map((it) => ({ ...it.state, current: it.state })),
    containsTemplate: (text) => /\$|\[\[/.test(text ?? ''),
    updateTimeRange() {},
  });
  return scene;
}

function Editor({ what, saved, plugin, datasource }) {
  const [value, setValue] = React.useState(saved);
  window.chaoscope.saved = value;
  const common = {
    datasource,
    range: RANGE,
    query: value,
    onChange: setValue,
    onRunQuery: () => (window.chaoscope.runs = (window.chaoscope.runs ?? 0) + 1),
  };
  const { QueryEditor, ConfigEditor, QueryEditorHelp } = plugin.components;
  switch (what) {
    case 'config':
      return <ConfigEditor options={value} onOptionsChange={setValue} />;
    case 'help':
      return <QueryEditorHelp datasource={datasource} onClickExample={setValue} query={value} />;
    case 'variable':
      return React.createElement(datasource.variables.editor, common);
    case 'annotation':
      return React.createElement(datasource.annotations.QueryEditor, common);
    case 'alert':
      return <QueryEditor {...common} app={data.CoreApp.UnifiedAlerting} />;
    default:
      return <QueryEditor {...common} app={what === 'explore' ? data.CoreApp.Explore : data.CoreApp.PanelEditor} />;
  }
}

function show(root, theme, element) {
  document.body.style.background = theme.colors.background.primary;
  document.body.style.color = theme.colors.text.primary;
  root.render(
    <data.ThemeContext.Provider value={theme}>
      <ui.GlobalStyles />
      <main style={{ padding: 16, maxWidth: 1100 }}>{element}</main>
      <ui.PortalContainer />
    </data.ThemeContext.Provider>
  );
}

window.define = (names, factory) => {
  const missing = names.filter((name) => !LIBRARIES[name]);
  if (missing.length > 0) {
    throw new Error(`the plugin asks for what Grafana does not share: ${missing}`);
  }
  const { plugin } = factory(...names.map((name) => LIBRARIES[name]));
  const datasource = prepare(plugin);
  const root = createRoot(document.getElementById('root'));
  let mounted = 0;
  window.chaoscope = {
    react: React.version,
    grafana: runtime.config?.buildInfo?.version,
    datasource,
    mount(what, saved, variables = [], dark = false) {
      dashboard(variables);
      show(
        root,
        data.createTheme({ colors: { mode: dark ? 'dark' : 'light' } }),
        <Editor key={++mounted} {...{ what, saved, plugin, datasource }} />
      );
    },
    /** A panel's query, as a dashboard sends it. */
    async ask(query, variables = [], more = {}) {
      dashboard(variables);
      const asked = { targets: [{ refId: 'A', ...query }], range: RANGE, scopedVars: {}, intervalMs: 1000, maxDataPoints: 500, ...more };
      const answer = await rxjs.lastValueFrom(rxjs.from(datasource.query(asked)));
      return { error: answer.errors?.[0]?.message, rows: answer.data[0]?.length ?? 0, fields: answer.data[0]?.fields.map((it) => it.name) };
    },
    /** An annotation layer, run by scenes as a dashboard runs it. */
    async annotate(saved, variables = []) {
      const layer = new scenes.dataLayers.AnnotationsDataLayer({ name: saved.name, query: { datasource: REF, ...saved }, isEnabled: true });
      const scene = dashboard(variables, [layer]);
      const stop = scene.activate();
      const found = await new Promise((resolve) => {
        const check = ({ data: it }) => it && it.state !== 'Loading' && it.series && resolve(it.series[0]);
        layer.subscribeToState(check);
        check(layer.state);
      });
      stop();
      return found
        ? Array.from({ length: found.length }, (_, row) => Object.fromEntries(found.fields.map((it) => [it.name, it.values[row]])))
        : [];
    },
    /** A dashboard's query variables: their options, once all are loaded. */
    async options(variables) {
      const scene = dashboard(variables);
      const stop = scene.activate();
      const set = scene.state.$variables;
      while (set.state.variables.some((it) => set.isVariableLoadingOrWaitingToUpdate(it))) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      stop();
      return Object.fromEntries(set.state.variables.map((it) => [it.state.name, it.state.options?.map((one) => one.value)]));
    },
    /** A live query: what a panel gets, and how the stream was opened. */
    async live(query) {
      const opened = [];
      runtime.setGrafanaLiveSrv({
        getDataStream(options) {
          opened.push({ addr: options.addr, buffer: options.buffer });
          return rxjs.of({ state: 'Streaming', data: [data.dataFrameFromJSON(options.frame)] });
        },
      });
      return { answer: await window.chaoscope.ask(query), opened };
    },
  };
};

const script = document.createElement('script');
script.src = '/module.js';
document.body.append(script);
