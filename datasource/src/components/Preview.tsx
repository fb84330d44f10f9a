/** What a query finds now: how much, and the newest of it. Asked again a moment after the query or the time changes. */
import { dateTimeFormat, TimeRange } from '@grafana/data';
import { Button, LoadingPlaceholder, Stack, Text, useStyles2 } from '@grafana/ui';
import { css } from '@emotion/css';
import React, { useEffect, useState } from 'react';
import type { ChaosDataSource, Found, FoundRow } from '../datasource';
import { ChaosQuery, QueryType } from '../types';
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
  const asked = JSON.stringify({ refId: query.refId, queryType: countedAs(query), filters, matchDashboard });
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
            <LoadingPlaceholder text="Looking…" style={{ marginBottom: 0 }} />
          )}
        </div>
        {!problem && found && found.rows.length > 0 && (
          <Button
            size="sm"
            fill="text"
            type="button"
            aria-expanded={open}
            icon={open ? 'angle-down' : 'angle-right'}
            onClick={() => setOpen(!open)}
          >
            {open ? 'Hide' : 'Show'} the first
          </Button>
        )}
      </Stack>
      {!problem && open && found && <Rows rows={found.rows} />}
    </Stack>
  );
}

/** What is counted: events where those are asked for, runs otherwise. */
function countedAs({ queryType }: ChaosQuery): QueryType {
  if (queryType === 'upcoming') {
    return 'upcoming';
  }
  return queryType === 'events' || queryType === 'logs' || queryType === undefined ? 'events' : 'runs';
}

const NOUNS: Partial<Record<QueryType, [string, string]>> = {
  events: ['event matches', 'events match'],
  upcoming: ['upcoming run matches', 'upcoming runs match'],
  runs: ['run matches', 'runs match'],
};

/** How much is found, in one sentence. */
export function sentence({ total, cut, notices }: Found, query: ChaosQuery): string {
  const [one, several] = NOUNS[countedAs(query)] ?? ['', ''];
  const these = query.matchDashboard ? 'these filters and this dashboard’s variables' : 'these filters';
  const many = total === 0 ? `No ${one}` : `${cut ? 'At least ' : ''}${total} ${total === 1 ? one : several}`;
  return [`${many} ${these} in this time.`, ...(notices ?? [])].join(' ');
}

function Rows({ rows }: { rows: FoundRow[] }) {
  const styles = useStyles2(() => ({
    table: css({ '& th, & td': { padding: '2px 16px 2px 0', textAlign: 'left', whiteSpace: 'nowrap' } }),
    box: css({ overflowX: 'auto' }),
  }));
  return (
    <div className={styles.box} tabIndex={0} role="region" aria-label="The first that match">
      <table className={styles.table}>
        <thead>
          <tr>
            {['Time', 'What', 'State'].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ id, at, title, state }, index) => (
            <tr key={id ?? index}>
              <td>{at && dateTimeFormat(at)}</td>
              <td>{title}</td>
              <td>{state?.replace('_', ' ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
