/** What a query finds now: how much, and the newest of it. Asked again a moment after the query or the time changes. */
import { dateTimeFormat, TimeRange } from '@grafana/data';
import { Button, LoadingPlaceholder, Stack, Text, useStyles2 } from '@grafana/ui';
import { css } from '@emotion/css';
import React, { useEffect, useState } from 'react';
import type { ChaosDataSource, Found, FoundRun } from '../datasource';
import { ChaosQuery } from '../types';
import { messageOf } from './Filters';

interface Props {
  datasource: ChaosDataSource;
  query: ChaosQuery;
  range?: TimeRange;
}

/** Typing is not to ask at each letter. */
const PAUSE = 400;

export function Preview({ datasource, query, range }: Props) {
  const [found, setFound] = useState<Found>();
  const [problem, setProblem] = useState<string>();
  const [open, setOpen] = useState(false);
  const { filters, matchDashboard } = query;
  const asked = JSON.stringify({ refId: query.refId, queryType: 'runs', filters, matchDashboard });
  const [from, to] = [range?.from.valueOf(), range?.to.valueOf()];
  useEffect(() => {
    let current = true;
    const timer = setTimeout(async () => {
      try {
        const answer = await datasource.preview(JSON.parse(asked), range);
        if (current) {
          setFound(answer);
          setProblem(undefined);
        }
      } catch (error) {
        if (current) {
          setProblem(messageOf(error));
        }
      }
    }, PAUSE);
    return () => {
      current = false;
      clearTimeout(timer);
    };
    // A range is a new object at each rendering; its ends are what counts.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [datasource, asked, from, to]);

  return (
    <Stack direction="column" gap={0.5}>
      <Stack direction="row" gap={1} alignItems="center">
        <div role="status" aria-live="polite">
          {problem ? (
            <Text color="error">Cannot be asked: {problem}</Text>
          ) : found ? (
            <Text color="secondary">{sentence(found, query)}</Text>
          ) : (
            <LoadingPlaceholder text="Looking for runs…" style={{ marginBottom: 0 }} />
          )}
        </div>
        {!problem && found && found.sample.length > 0 && (
          <Button
            size="sm"
            fill="text"
            type="button"
            aria-expanded={open}
            icon={open ? 'angle-down' : 'angle-right'}
            onClick={() => setOpen(!open)}
          >
            {open ? 'Hide' : 'Show'} the newest
          </Button>
        )}
      </Stack>
      {!problem && open && found && <Runs runs={found.sample} />}
    </Stack>
  );
}

/** How much is found, in one sentence. */
export function sentence({ rows, notices }: Found, { matchDashboard }: ChaosQuery): string {
  const these = matchDashboard ? 'these filters and this dashboard’s variables' : 'these filters';
  const found =
    rows === 0 ? `No run in this time matches ${these}.` : `${rows} ${rows === 1 ? 'run matches' : 'runs match'} ${these} in this time.`;
  return [found, ...(notices ?? [])].join(' ');
}

function Runs({ runs }: { runs: FoundRun[] }) {
  const styles = useStyles2(() => ({
    table: css({ '& th, & td': { padding: '2px 16px 2px 0', textAlign: 'left', whiteSpace: 'nowrap' } }),
    box: css({ overflowX: 'auto' }),
  }));
  return (
    <div className={styles.box} tabIndex={0} role="region" aria-label="The newest runs that match">
      <table className={styles.table}>
        <thead>
          <tr>
            {['Start', 'End', 'Kind', 'Experiment', 'State', 'Targets'].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.map((run, index) => (
            <tr key={run.id ?? index}>
              <td>{run.started_at && dateTimeFormat(run.started_at)}</td>
              <td>{run.ended_at ? dateTimeFormat(run.ended_at) : 'open'}</td>
              <td>{run.kind}</td>
              <td>{[run.namespace, run.name].filter(Boolean).join('/')}</td>
              <td>{[run.outcome ?? run.phase, run.attention].filter(Boolean).join(', ').replace('_', ' ')}</td>
              <td>{run.targets}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
