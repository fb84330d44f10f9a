/** The help sheet: how to filter, and examples to use with one click. */
import { QueryEditorHelpProps } from '@grafana/data';
import { Button, Stack, Text } from '@grafana/ui';
import React from 'react';
import { ChaosQuery } from '../types';
import { Example, EXAMPLES } from './examples';

const LANGUAGE: Array<[string, string]> = [
  ['web-0', 'exactly this'],
  ['web-*', 'any text in place of *'],
  ['~web-[0-9]+', 'a regular expression, for the whole value'],
  ['!web-0', 'not this; works with * and ~, too'],
  ['$namespace', 'a variable, alone or in the middle of text; several values are alternatives'],
];

export function QueryEditorHelp({ onClickExample }: QueryEditorHelpProps<ChaosQuery>) {
  return (
    <Stack direction="column" gap={2}>
      <Text element="h2">Chaos runs, asked for</Text>
      <Text element="p">
        A run is one application of an experiment, from start to recovery. Values of one filter are alternatives; different filters must all
        hold, those about targets for one and the same target.
      </Text>
      <table>
        <tbody>
          {LANGUAGE.map(([value, meaning]) => (
            <tr key={value}>
              <td style={{ padding: '2px 16px 2px 0' }}>
                <code>{value}</code>
              </td>
              <td>{meaning}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Text element="h3">Examples</Text>
      {EXAMPLES.map((example) => (
        <Shown key={example.title} example={example} onUse={() => onClickExample({ ...example.query, refId: 'A' })} />
      ))}
    </Stack>
  );
}

function Shown({ example, onUse }: { example: Example; onUse: () => void }) {
  return (
    <Stack direction="row" gap={2} alignItems="center">
      <Button size="sm" variant="secondary" type="button" aria-label={`Use: ${example.title}`} onClick={onUse}>
        Use
      </Button>
      <div>
        <Text weight="medium">{example.title}</Text> <br />
        <Text color="secondary">{example.why}</Text>
      </div>
    </Stack>
  );
}
