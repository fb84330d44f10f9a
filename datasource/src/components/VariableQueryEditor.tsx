/** The editor of a variable: what is listed, and of which runs. A filter may be another variable. */
import { QueryEditorProps } from '@grafana/data';
import { Field, Select, Stack } from '@grafana/ui';
import React from 'react';
import { variable } from '../ask/legacy';
import type { ChaosDataSource } from '../datasource';
import { listOptions } from '../fields';
import { ChaosQuery, Settings } from '../types';
import { Filters } from './Filters';

type Props = QueryEditorProps<ChaosDataSource, ChaosQuery, Settings>;

export function VariableQueryEditor({ query: saved, onChange, datasource, range }: Props) {
  const query = variable(saved);
  const change = (part: Partial<ChaosQuery>) => {
    const next = { ...query, ...part, refId: saved?.refId ?? query.refId };
    // Grafana shows the second argument as the variable's definition.
    (onChange as (query: ChaosQuery, definition: string) => void)(
      next,
      datasource.getQueryDisplayText(next).replace(/^values/, next.list ?? '')
    );
  };
  const id = 'chaoscope-variable';
  return (
    <Stack direction="column" gap={1}>
      <Stack direction="row" gap={2} wrap="wrap" alignItems="flex-start">
        <Field label="List" htmlFor={`${id}-list`} noMargin>
          <Select
            inputId={`${id}-list`}
            aria-label="What is listed"
            width={32}
            placeholder="Choose what is listed"
            options={listOptions}
            value={query.list}
            onChange={({ value }) => change({ list: value })}
          />
        </Field>
      </Stack>
      <Field label="Of runs where" description="Values may be other variables: $namespace" noMargin>
        <Filters
          id={id}
          filters={query.filters}
          onChange={(filters) => change({ filters })}
          suggest={(field, others) =>
            datasource.values(field, datasource.applyTemplateVariables({ ...query, filters: others }, {}).filters ?? {}, range)
          }
          empty="No filter: all there are in the dashboard’s time."
        />
      </Field>
    </Stack>
  );
}
