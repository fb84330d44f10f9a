/**
 * Draws a dashboard outside of Grafana: its panels' real answers, by Grafana's own components (PanelChrome, BigValue, TimeSeries, Table and
 * their themes). Its state timeline and heatmap panels are not in any library: those are drawn here, plainly.
 *
 * `window.draw(dashboard, answers, session, titles)`; see `draw.mjs`.
 */
import * as data from '@grafana/data';
import * as ui from '@grafana/ui';
import React from 'react';
import { createRoot } from 'react-dom/client';

const theme = data.createTheme({ colors: { mode: 'dark' } });
const [CELL, GAP, WIDTH] = [30, 8, 1344];
const CUSTOM = {
  axisPlacement: 'auto',
  axisLabel: '',
  pointSize: 5,
  barAlignment: 0,
  barWidthFactor: 0.6,
  gradientMode: 'none',
  lineStyle: { fill: 'solid' },
  scaleDistribution: { type: 'linear' },
  hideFrom: { legend: false, tooltip: false, viz: false },
};
const COLOURS = ['Running', 'Injecting', 'Recovering'];

/** A series' name, as the Prometheus datasource makes it of its legend. */
const named = (legend, { __name__: name, ...labels }) =>
  legend && legend !== '__auto'
    ? legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '')
    : Object.entries(labels).map(([label, value]) => `${label}="${value}"`).join(', ') || name || 'Value';

const displayed = (field) => ({ ...field, display: data.getDisplayProcessor({ field, theme }) });

function frames(panel, results, session) {
  const { defaults, overrides } = panel.fieldConfig;
  const times = [];
  for (let at = session.start; at <= session.end; at += session.step) {
    times.push(at * 1000);
  }
  let seriesIndex = 0;
  return results.flatMap((series, target) =>
    series.map(({ metric, values }) => {
      const name = named(panel.targets[target].legendFormat, metric);
      const known = new Map(values.map(([at, value]) => [at * 1000, Number(value)]));
      const own = overrides.find(({ matcher }) => matcher.options === name)?.properties.find(({ id }) => id === 'color')?.value;
      const config = { ...defaults, displayName: name, custom: { ...CUSTOM, ...defaults.custom }, ...(own && { color: own }) };
      const numbers = times.map((at) => (Number.isFinite(known.get(at)) ? known.get(at) : null));
      const field = { name, type: data.FieldType.number, values: numbers, config, state: { seriesIndex: seriesIndex++ } };
      const time = displayed({ name: 'Time', type: data.FieldType.time, values: times, config: {} });
      return { fields: [time, displayed(field)], length: times.length };
    })
  );
}

const Nothing = ({ text }) => (
  <div style={{ display: 'flex', height: '100%', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary }}>{text}</div>
);

/** A region for each run, as Grafana draws annotations: two dashed lines, a tint between, a bar below the axis. */
const regions = (runs, session) => (builder) => {
  builder.addHook('draw', (u) => {
    const [left, right] = [u.bbox.left, u.bbox.left + u.bbox.width];
    for (const run of runs) {
      const from = Math.max(u.valToPos(Date.parse(run.started_at), 'x', true), left);
      const end = run.ended_at ? Date.parse(run.ended_at) : session.end * 1000;
      const to = Math.min(u.valToPos(end, 'x', true), right);
      const colour = COLOURS.some((it) => it.toLowerCase() === run.phase)
        ? run.phase === 'running' ? '#F2495C' : '#FADE2A'
        : ['recovered', 'completed'].includes(run.outcome) ? '#73BF69' : '#8e8e8e';
      u.ctx.save();
      u.ctx.fillStyle = `${colour}1a`;
      u.ctx.fillRect(from, u.bbox.top, to - from, u.bbox.height);
      u.ctx.fillStyle = colour;
      u.ctx.fillRect(from, u.bbox.top + u.bbox.height, Math.max(to - from, 3), 6);
      u.ctx.strokeStyle = colour;
      u.ctx.setLineDash([5, 5]);
      for (const x of [from, to]) {
        u.ctx.beginPath();
        u.ctx.moveTo(x, u.bbox.top);
        u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
        u.ctx.stroke();
      }
      u.ctx.restore();
    }
  });
  return null;
};

function Lines({ panel, results, session, width, height, runs }) {
  const found = frames(panel, results, session);
  if (found.length === 0) {
    return <Nothing text={panel.fieldConfig.defaults.noValue} />;
  }
  const range = { from: data.dateTime(session.start * 1000), to: data.dateTime(session.end * 1000) };
  return (
    <ui.TimeSeries
      frames={found}
      width={width}
      height={height}
      timeRange={{ ...range, raw: range }}
      timeZone="utc"
      legend={panel.options.legend}
      options={panel.options}
    >
      {runs ? regions(runs, session) : () => null}
    </ui.TimeSeries>
  );
}

function Stat({ panel, results, width, height }) {
  const value = results[0]?.[0]?.value?.[1];
  const field = displayed({ name: 'Value', type: data.FieldType.number, values: [], config: panel.fieldConfig.defaults });
  const shown = field.display(value === undefined ? null : Number(value));
  return <ui.BigValue {...{ width, height, theme }} value={shown} colorMode="value" graphMode="none" textMode="value" justifyMode="auto" />;
}

/** What the transformations of our tables do: rows that agree in what they share are one. */
function merged(results) {
  const rows = [];
  results.forEach((series, target) => {
    for (const { metric, value } of series) {
      const name = results.length === 1 ? 'Value' : `Value #${String.fromCharCode(65 + target)}`;
      const into = rows.filter((row) => !(name in row) && Object.entries(metric).every(([label, it]) => row[label] === undefined || row[label] === it));
      const whole = into.filter((row) => Object.keys(metric).some((label) => label in row));
      whole.forEach((row) => Object.assign(row, metric, { [name]: Number(value[1]) }));
      if (whole.length === 0) {
        rows.push({ ...metric, [name]: Number(value[1]) });
      }
    }
  });
  return rows;
}

function Rows({ panel, results, width, height, session }) {
  const rows = merged(results);
  if (rows.length === 0) {
    return <Nothing text={panel.fieldConfig.defaults.noValue} />;
  }
  const columns = panel.transformations.find(({ id }) => id === 'organize').options.renameByName;
  const fields = Object.entries(columns).map(([name, title]) => {
    const number = name.startsWith('Value');
    const values = rows.map((row) => row[name] ?? (number ? null : ''));
    const properties = panel.fieldConfig.overrides.filter(({ matcher }) => matcher.options === title).flatMap((it) => it.properties);
    const property = (id) => properties.find((it) => it.id === id)?.value;
    const unit = property('unit');
    const config = {
      displayName: title,
      custom: { ...panel.fieldConfig.defaults.custom, cellOptions: property('custom.cellOptions') ?? { type: 'auto' } },
      ...(unit && { unit }),
      ...(property('mappings') && { mappings: property('mappings') }),
    };
    const field = displayed({ name, type: number ? data.FieldType.number : data.FieldType.string, values, config });
    if (unit === 'dateTimeFromNow') {
      field.display = (value) => ({ text: value ? data.dateTime(value).from(data.dateTime(session.end * 1000)) : '', numeric: value });
    } else if (unit === 'dateTimeAsIso') {
      field.display = (value) => ({ text: value ? new Date(value).toISOString().slice(11, 19) : '', numeric: value });
    }
    return field;
  });
  const shown = fields.filter((field) => field.values.some((it) => it !== '' && it !== null));
  return <ui.Table data={{ fields: shown, length: rows.length }} width={width} height={height} cellHeight="sm" />;
}

const clock = (at) => new Date(at * 1000).toISOString().slice(11, 16);

function Axis({ session, left, width, y }) {
  const minutes = [];
  const apart = [60, 120, 300, 600].find((it) => (it / (session.end - session.start)) * (width - left) > 44) ?? 1800;
  for (let at = Math.ceil(session.start / apart) * apart; at < session.end - apart / 4; at += apart) {
    minutes.push(at);
  }
  const x = (at) => left + ((at - session.start) / (session.end - session.start)) * (width - left - 8);
  return minutes.map((at) => (
    <text key={at} x={x(at)} y={y} fill={theme.colors.text.secondary} fontSize="12" textAnchor="middle">
      {clock(at)}
    </text>
  ));
}

function Timeline({ panel, results, session, width, height }) {
  const series = results.flatMap((it, target) => it.map(({ metric, values }) => [named(panel.targets[target].legendFormat, metric), values]));
  if (series.length === 0) {
    return <Nothing text={panel.fieldConfig.defaults.noValue} />;
  }
  const words = panel.fieldConfig.defaults.mappings[0].options;
  const left = Math.min(300, Math.max(...series.map(([name]) => name.length)) * 6.6 + 14);
  const x = (at) => left + ((at - session.start) / (session.end - session.start)) * (width - left - 8);
  const row = Math.min(34, (height - 46) / series.length);
  const used = Object.entries(words).filter(([value]) => series.some(([, values]) => values.some((it) => it[1] === value)));
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily}>
      {series.map(([name, values], line) => {
        const parts = [];
        for (const [at, value] of values) {
          const last = parts.at(-1);
          if (last?.value === value && at - last.to <= session.step * 1.5) {
            last.to = at;
          } else {
            parts.push({ value, from: at, to: at });
          }
        }
        return (
          <g key={name} transform={`translate(0 ${line * row})`}>
            <text x={left - 8} y={row / 2 + 4} fill={theme.colors.text.secondary} fontSize={Math.min(12, row - 2)} textAnchor="end">
              {name}
            </text>
            {parts.map(({ value, from, to }) => {
              const wide = Math.max(x(to + session.step) - x(from), 2);
              return (
                <g key={from}>
                  <rect x={x(from)} y={row * 0.1} width={Math.min(wide, width - 8 - x(from))} height={row * 0.8} fill={words[value]?.color ?? '#888'} opacity="0.85" />
                  {wide > (words[value]?.text.length ?? 0) * 7 + 8 && row > 15 && (
                    <text x={x(from) + 5} y={row / 2 + 4} fill="#111" fontSize="12">
                      {words[value]?.text}
                    </text>
                  )}
                </g>
              );
            })}
          </g>
        );
      })}
      <Axis session={session} left={left} width={width} y={height - 28} />
      {used.map(([value, { text, color }], at) => (
        <g key={value} transform={`translate(${8 + at * 110} ${height - 8})`}>
          <rect y="-9" width="14" height="4" fill={color} />
          <text x="20" fill={theme.colors.text.primary} fontSize="12" y="-2">
            {text}
          </text>
        </g>
      ))}
    </svg>
  );
}

const VIRIDIS = ['#440154', '#472d7b', '#3b528b', '#2c728e', '#21918c', '#28ae80', '#5ec962', '#addc30', '#fde725'];

function Heat({ panel, results, session, width, height }) {
  const buckets = results[0].filter(({ metric }) => metric.le).sort((one, other) => Number(one.metric.le.replace('+Inf', 'Infinity')) - Number(other.metric.le.replace('+Inf', 'Infinity')));
  const counts = buckets.map(({ values }, at) => {
    const below = new Map(buckets[at - 1]?.values ?? []);
    return values.map(([time, value]) => [time, Math.max(0, Number(value) - Number(below.get(time) ?? 0))]);
  });
  const most = Math.max(...counts.flat().map((it) => it[1]).filter(Number.isFinite), 0);
  if (most <= 1e-9) {
    return <Nothing text={panel.fieldConfig.defaults.noValue} />;
  }
  const [left, low] = [64, 24];
  const tall = (height - low) / buckets.length;
  const scale = (width - left - 8) / (session.end - session.start);
  const format = data.getValueFormat('s');
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily}>
      {counts.map((values, bucket) => (
        <g key={bucket} transform={`translate(0 ${(buckets.length - 1 - bucket) * tall})`}>
          {(buckets.length < 12 || bucket % 2 === 0) && (
            <text x={left - 6} y={tall / 2 + 4} fill={theme.colors.text.secondary} fontSize="11" textAnchor="end">
              {buckets[bucket].metric.le === '+Inf' ? '+Inf' : data.formattedValueToString(format(Number(buckets[bucket].metric.le)))}
            </text>
          )}
          {values.map(
            ([at, count]) =>
              count > 1e-9 && (
                <rect
                  key={at}
                  x={left + (at - session.start) * scale}
                  y="0.5"
                  width={Math.max(session.step * scale - 0.6, 0.8)}
                  height={Math.max(tall - 1, 1)}
                  fill={VIRIDIS[Math.min(8, Math.floor(Math.sqrt(count / most) * 8.99))]}
                />
              )
          )}
        </g>
      ))}
      <Axis session={session} left={left} width={width} y={height - 6} />
    </svg>
  );
}

const KINDS = { stat: Stat, timeseries: Lines, table: Rows, 'state-timeline': Timeline, heatmap: Heat };

function Panel({ panel, results, session, runs }) {
  const { w, h } = panel.gridPos;
  const width = (WIDTH / 24) * w - GAP;
  const height = h * (CELL + GAP) - GAP;
  if (panel.type === 'row') {
    return <div style={{ fontSize: 16, fontWeight: 500, padding: '6px 4px' }}>⌄ {panel.title.replace('$node', 'All')}</div>;
  }
  if (panel.type === 'text') {
    const html = data.renderTextPanelMarkdown(panel.options.content);
    return (
      <ui.PanelChrome {...{ width, height }} title={panel.title} description={panel.description}>
        {() => <div className="markdown-html" style={{ fontSize: 14 }} dangerouslySetInnerHTML={{ __html: html }} />}
      </ui.PanelChrome>
    );
  }
  const Kind = KINDS[panel.type];
  return (
    <ui.PanelChrome {...{ width, height }} title={panel.title} description={panel.description}>
      {(innerWidth, innerHeight) => <Kind {...{ panel, results, session, runs }} width={innerWidth} height={innerHeight} />}
    </ui.PanelChrome>
  );
}

window.draw = (dashboard, answers, session, titles, runs) => {
  const chosen = dashboard.panels.filter((it) => titles.length === 0 || titles.includes(it.title));
  const lines = [...new Set(chosen.map((it) => it.gridPos.y))].sort((one, other) => one - other);
  const tops = new Map();
  let top = 0;
  for (const y of lines) {
    tops.set(y, top);
    top += Math.max(...chosen.filter((it) => it.gridPos.y === y).map((it) => it.gridPos.h));
  }
  document.body.style.background = theme.colors.background.canvas;
  document.body.style.color = theme.colors.text.primary;
  createRoot(document.getElementById('root')).render(
    <data.ThemeContext.Provider value={theme}>
      <ui.GlobalStyles />
      <main style={{ width: WIDTH + 16, padding: 12 }}>
        <h3 style={{ margin: '0 0 10px 4px', fontWeight: 500 }}>{dashboard.title}</h3>
        <div style={{ position: 'relative', height: top * (CELL + GAP) }}>
          {chosen.map((panel) => (
            <div
              key={panel.id}
              style={{ position: 'absolute', left: (WIDTH / 24) * panel.gridPos.x, top: tops.get(panel.gridPos.y) * (CELL + GAP) }}
            >
              <Panel {...{ panel, session, runs }} results={answers.find((it) => it.id === panel.id)?.results ?? []} />
            </div>
          ))}
        </div>
      </main>
      <ui.PortalContainer />
    </data.ThemeContext.Provider>
  );
};
