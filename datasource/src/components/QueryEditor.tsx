/** The editor of a query: what is asked for, of which runs, and what that finds now. */
import { CoreApp, QueryEditorProps, TimeRange } from '@grafana/data';
import { Alert, Button, Field, InlineField, InlineSwitch, Input, MultiSelect, RadioButtonGroup, Select, Stack } from '@grafana/ui';
import React, { useState } from 'react';
import { OF_DASHBOARD } from '../ask/filters';
import { filtersOf, isLegacy } from '../ask/legacy';
import type { ChaosDataSource } from '../datasource';
import { byOptions, typeOptions } from '../fields';
import { ChaosQuery, QueryType, Settings } from '../types';
import { Filters } from './Filters';
import { Preview } from './Preview';

type Props = QueryEditorProps<ChaosDataSource, ChaosQuery, Settings>;

export interface PartProps {
  id: string;
  query: ChaosQuery;
  datasource: ChaosDataSource;
  range?: TimeRange;
  /** Saves a change, and runs the query. */
  change: (part: Partial<ChaosQuery>) => void;
}

export function QueryEditor({ query, onChange, onRunQuery, datasource, range, app }: Props) {
  const id = `chaoscope-${app ?? 'panel'}-${query.refId}`;
  const change = (part: Partial<ChaosQuery>) => {
    onChange({ ...query, ...part });
    onRunQuery();
  };
  const part: PartProps = { id, query, datasource, range, change };
  if (isLegacy(query)) {
    return <LegacyEditor {...part} />;
  }
  const alerting = app === CoreApp.UnifiedAlerting || app === CoreApp.CloudAlerting;
  return (
    <Stack direction="column" gap={1}>
      <Stack direction="row" gap={2} wrap="wrap" alignItems="flex-start">
        <TypeField {...part} />
        <TypeOptions {...part} />
        <LimitField {...part} />
      </Stack>
      <Which {...part} />
      {!alerting && <Switches {...part} inDashboard={app !== CoreApp.Explore} />}
      <Preview datasource={datasource} query={query} range={range} />
    </Stack>
  );
}

function TypeField({ id, query, change }: PartProps) {
  const choose = (queryType: QueryType) => change({ queryType, ...(queryType === 'annotations' ? { topic: true } : { topic: undefined }) });
  return (
    <Field label="Show" htmlFor={`${id}-type`} noMargin>
      <Select
        inputId={`${id}-type`}
        aria-label="What is shown"
        width={40}
        maxMenuHeight={520}
        options={typeOptions}
        value={query.queryType}
        onChange={({ value }) => value && choose(value)}
      />
    </Field>
  );
}

/** What only some types have. */
function TypeOptions({ id, query, change }: PartProps) {
  switch (query.queryType) {
    case 'timeline':
      return (
        <Field label="One row for each" noMargin>
          <RadioButtonGroup
            aria-label="One row for each"
            options={[
              { value: 'run' as const, label: 'Experiment' },
              { value: 'target' as const, label: 'Target' },
            ]}
            value={query.rows ?? 'run'}
            onChange={(rows) => change({ rows })}
          />
        </Field>
      );
    case 'active':
      return (
        <>
          <Field label="As" noMargin>
            <RadioButtonGroup
              aria-label="As"
              options={[
                { value: 'instant' as const, label: 'Number now', description: 'For stat panels and alert rules; 0 when nothing runs' },
                { value: 'series' as const, label: 'Series', description: 'For graphs: a point for each interval' },
              ]}
              value={query.form ?? 'instant'}
              onChange={(form) => change({ form })}
            />
          </Field>
          <Field label="Counted by" htmlFor={`${id}-by`} noMargin>
            <MultiSelect
              inputId={`${id}-by`}
              aria-label="Counted by"
              width={36}
              placeholder="All together"
              options={byOptions}
              value={query.by ?? []}
              onChange={(values) => change({ by: values.map((it) => it.value ?? '').filter(Boolean) })}
            />
          </Field>
        </>
      );
    default:
      return null;
  }
}

export function LimitField({ id, query, change }: PartProps) {
  const saved = query.limit === undefined || query.limit === null ? '' : String(query.limit);
  const [text, setText] = useState(saved);
  const [shown, setShown] = useState(saved);
  if (shown !== saved) {
    setShown(saved);
    setText(saved);
  }
  const limit = text.trim() === '' ? undefined : Number(text);
  const wrong = limit !== undefined && !(Number.isInteger(limit) && limit > 0);
  if (query.queryType === 'active') {
    return null;
  }
  return (
    <Field label="Limit" htmlFor={`${id}-limit`} invalid={wrong} error={wrong ? 'A whole number above 0' : undefined} noMargin>
      <Input
        id={`${id}-limit`}
        width={12}
        inputMode="numeric"
        placeholder="Default"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={() => !wrong && limit !== (query.limit ?? undefined) && change({ limit })}
      />
    </Field>
  );
}

/** Which runs: the filters. */
export function Which({ id, query, datasource, range, change }: PartProps) {
  return (
    <Field label="Of runs where" noMargin>
      <Filters
        id={id}
        filters={query.filters}
        onChange={(filters) => change({ filters })}
        suggest={(field, others) =>
          datasource.values(field, datasource.applyTemplateVariables({ ...query, filters: others }, {}).filters ?? {}, range)
        }
        empty={query.matchDashboard ? 'No filter but this dashboard’s variables.' : undefined}
      />
    </Field>
  );
}

const VARIABLES = Object.keys(OF_DASHBOARD)
  .map((name) => `$${name}`)
  .join(', ');

/** Answers of more than one table, which a live channel does not carry, and what is no run yet. */
const NOT_LIVE = ['timeline', 'upcoming'];

export function Switches({ id, query, change, inDashboard }: PartProps & { inDashboard: boolean }) {
  return (
    <Stack direction="row" gap={1} wrap="wrap">
      {inDashboard && (
        <InlineField
          label="Match this dashboard"
          htmlFor={`${id}-match`}
          tooltip={`Only chaos that hit what this dashboard shows: its variables ${VARIABLES}, where it has them, are filters of the targets.`}
        >
          <InlineSwitch
            id={`${id}-match`}
            value={query.matchDashboard ?? false}
            onChange={(event) => change({ matchDashboard: event.currentTarget.checked || undefined })}
          />
        </InlineField>
      )}
      {query.queryType === 'annotations' && (
        <InlineField
          label="Upcoming runs too"
          htmlFor={`${id}-upcoming`}
          tooltip="Also what schedules will start until the end of the time range."
        >
          <InlineSwitch
            id={`${id}-upcoming`}
            value={query.upcoming ?? false}
            onChange={(event) => change({ upcoming: event.currentTarget.checked || undefined })}
          />
        </InlineField>
      )}
      {!NOT_LIVE.includes(query.queryType ?? 'runs') && (
        <InlineField
          label="Live"
          htmlFor={`${id}-stream`}
          tooltip="Keeps what is shown current over Grafana Live, without waiting for the next refresh."
        >
          <InlineSwitch
            id={`${id}-stream`}
            value={query.stream ?? false}
            onChange={(event) => change({ stream: event.currentTarget.checked || undefined })}
          />
        </InlineField>
      )}
    </Stack>
  );
}

/** A query of the old plugin runs as it is; changing it makes it one of ours. */
function LegacyEditor({ query, datasource, range, change }: PartProps) {
  const filters = filtersOf(query);
  const convert = () =>
    change({
      queryType: 'events',
      filters,
      limit: query.limit ?? undefined,
      object_id: undefined,
      namespace: undefined,
      name: undefined,
      kind: undefined,
    });
  return (
    <Stack direction="column" gap={1}>
      <Alert severity="info" title="A query of the Chaos Mesh plugin">
        <Stack direction="column" gap={1} alignItems="flex-start">
          <div>
            It shows the same events in the same columns as before: {datasource.getQueryDisplayText(query)}. To change it, make it a query
            of Chaoscope: its columns will be different.
          </div>
          <Button size="sm" type="button" variant="secondary" onClick={convert}>
            Make it a query of Chaoscope
          </Button>
        </Stack>
      </Alert>
      <Preview datasource={datasource} query={{ refId: query.refId, queryType: 'events', filters }} range={range} />
    </Stack>
  );
}
