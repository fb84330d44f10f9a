/** The editor of an annotation layer: which runs become regions. Their times, texts and colours are fixed. */
import { QueryEditorProps } from '@grafana/data';
import { Stack, Text } from '@grafana/ui';
import React from 'react';
import type { ChaosDataSource } from '../datasource';
import { ChaosQuery, Settings } from '../types';
import { Preview } from './Preview';
import { LimitField, PartProps, Switches, Which } from './QueryEditor';

export function AnnotationQueryEditor({
  query: saved,
  onChange,
  onRunQuery,
  datasource,
  range,
}: QueryEditorProps<ChaosDataSource, ChaosQuery, Settings>) {
  const query: ChaosQuery = { ...saved, queryType: 'annotations' };
  const change = (part: Partial<ChaosQuery>) => {
    onChange({ ...query, ...part });
    onRunQuery();
  };
  const part: PartProps = { id: `chaoscope-annotation-${query.refId ?? 'Anno'}`, query, datasource, range, change };
  return (
    <Stack direction="column" gap={1}>
      <Text color="secondary">
        One region for each run, from its start to its end; a run that is still open ends now. Red while it runs, yellow while it is
        injected or recovers, green when it has recovered, gray where it ended otherwise; the tags say the same in words.
      </Text>
      <Which {...part} />
      <Stack direction="row" gap={2} wrap="wrap" alignItems="flex-end">
        <LimitField {...part} />
        <Switches {...part} inDashboard />
      </Stack>
      <Preview datasource={datasource} query={query} range={range} />
    </Stack>
  );
}
