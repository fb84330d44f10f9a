/** Inputs of the settings: secrets, which are written and never read back, numbers, and headers. */
import { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { Button, Field, IconButton, Input, SecretInput, SecretTextArea, Stack } from '@grafana/ui';
import React from 'react';
import { Secrets, Settings } from '../types';

type Options = DataSourcePluginOptionsEditorProps<Settings, Secrets>['options'];

/** Width of a text, in Grafana's units. */
export const WIDTH = 60;

/** How the parts of the editor change the settings. */
export interface Change {
  options: Options;
  common: (part: Partial<Options>) => void;
  json: (part: Partial<Settings>) => void;
  secret: (name: string, value: string) => void;
  reset: (name: string) => void;
}

type SecretProps = Pick<Change, 'options' | 'secret' | 'reset'> & {
  name: keyof Secrets & string;
  label: string;
  description?: string;
  placeholder?: string;
};

export function SecretField({ name, label, description, placeholder, options, secret, reset }: SecretProps) {
  return (
    <Field label={label} description={description} htmlFor={`config-${name}`}>
      <SecretInput
        id={`config-${name}`}
        width={WIDTH}
        autoComplete="new-password"
        placeholder={placeholder}
        isConfigured={options.secureJsonFields?.[name] ?? false}
        value={options.secureJsonData?.[name] ?? ''}
        onReset={() => reset(name)}
        onChange={(event) => secret(name, event.currentTarget.value)}
      />
    </Field>
  );
}

export function PemField({ name, label, options, secret, reset }: SecretProps) {
  return (
    <Field label={label} htmlFor={`config-${name}`}>
      <SecretTextArea
        id={`config-${name}`}
        cols={WIDTH}
        rows={5}
        placeholder="-----BEGIN …"
        isConfigured={options.secureJsonFields?.[name] ?? false}
        value={options.secureJsonData?.[name] ?? ''}
        onReset={() => reset(name)}
        onChange={(event) => secret(name, event.currentTarget.value)}
      />
    </Field>
  );
}

type NumberProps = Change & { name: 'timeout' | 'limit' | 'cacheSeconds'; label: string; description: string; placeholder: string };

export function NumberField({ name, label, description, placeholder, options, json }: NumberProps) {
  const value = options.jsonData[name];
  const wrong = value !== undefined && !(Number.isInteger(value) && value >= 0);
  return (
    <Field label={label} description={description} htmlFor={`config-${name}`} invalid={wrong} error="A whole number">
      <Input
        id={`config-${name}`}
        width={20}
        type="number"
        min={0}
        placeholder={placeholder}
        value={value ?? ''}
        onChange={(event) =>
          json({ [name]: event.currentTarget.value === '' ? undefined : Number(event.currentTarget.value) } as Partial<Settings>)
        }
      />
    </Field>
  );
}

/** Headers as Grafana keeps them: names httpHeaderName1, 2, …, values as secrets of the same number. */
export function Headers({ options, common, secret, reset }: Change) {
  const { jsonData, secureJsonFields, secureJsonData } = options;
  const numbers = Object.keys(jsonData)
    .flatMap((key) => /^httpHeaderName(\d+)$/.exec(key)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  const name = (number: number, text: string | undefined) => {
    const { [`httpHeaderName${number}`]: _, ...rest } = jsonData as Record<string, unknown>;
    common({ jsonData: (text === undefined ? rest : { ...rest, [`httpHeaderName${number}`]: text }) as Settings });
  };
  const remove = (number: number) => {
    const { [`httpHeaderName${number}`]: _, ...rest } = jsonData as Record<string, unknown>;
    const key = `httpHeaderValue${number}`;
    common({
      jsonData: rest as Settings,
      secureJsonFields: { ...secureJsonFields, [key]: false },
      secureJsonData: { ...secureJsonData, [key]: '' },
    });
  };
  return (
    <Stack direction="column" gap={1}>
      {numbers.map((number) => {
        const key = `httpHeaderValue${number}` as const;
        return (
          <Stack key={number} direction="row" gap={1} alignItems="center">
            <Input
              aria-label={`Name of header ${number}`}
              width={24}
              placeholder="X-Scope-OrgID"
              value={jsonData[`httpHeaderName${number}`] ?? ''}
              onChange={(event) => name(number, event.currentTarget.value)}
            />
            <SecretInput
              aria-label={`Value of header ${number}`}
              width={36}
              autoComplete="new-password"
              isConfigured={secureJsonFields?.[key] ?? false}
              value={secureJsonData?.[key] ?? ''}
              onReset={() => reset(key)}
              onChange={(event) => secret(key, event.currentTarget.value)}
            />
            <IconButton
              name="trash-alt"
              aria-label={`Remove header ${number}`}
              tooltip={`Remove header ${number}`}
              onClick={() => remove(number)}
            />
          </Stack>
        );
      })}
      <div>
        <Button size="sm" type="button" variant="secondary" icon="plus" onClick={() => name((numbers.at(-1) ?? 0) + 1, '')}>
          Add header
        </Button>
      </div>
    </Stack>
  );
}
