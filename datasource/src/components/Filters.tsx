/** The builder of filters: one row for each field and operator, with suggestions of values. Everything by keyboard. */
import { MetricFindValue, SelectableValue } from '@grafana/data';
import { Button, IconButton, MultiSelect, Select, Stack, Text } from '@grafana/ui';
import React, { useEffect, useRef, useState } from 'react';
import { fieldOptions, labelOf, operatorOptions } from '../fields';
import { FieldName, Filters as Saved } from '../types';
import { filtersOf, nextField, Row, rowsOf } from './rows';

interface Props {
  id: string;
  filters: Saved | undefined;
  onChange: (filters: Saved) => void;
  /** Values a field has, given the other filters. */
  suggest?: (field: FieldName, others: Saved) => Promise<MetricFindValue[]>;
  /** What is said where nothing is filtered. */
  empty?: string;
}

export function Filters({ id, filters, onChange, suggest, empty = 'No filter: everything is shown.' }: Props) {
  const [rows, setRows] = useState<Row[]>(() => rowsOf(filters));
  // Rows without a value are not saved, so what is saved replaces the rows only when it was changed elsewhere.
  const saved = JSON.stringify(filters ?? {});
  const written = useRef(saved);
  useEffect(() => {
    if (saved !== written.current) {
      written.current = saved;
      setRows(rowsOf(JSON.parse(saved)));
    }
  }, [saved]);

  const change = (next: Row[]) => {
    const value = filtersOf(next);
    setRows(next);
    if (JSON.stringify(value) !== written.current) {
      written.current = JSON.stringify(value);
      onChange(value);
    }
  };
  const set = (index: number, part: Partial<Row>) => change(rows.map((row, at) => (at === index ? { ...row, ...part } : row)));

  return (
    <div role="group" aria-label="Filters">
      <Stack direction="column" gap={0.5}>
        {rows.length === 0 && <Text color="secondary">{empty}</Text>}
        {rows.map((row, index) => (
          <FilterRow
            key={index}
            id={`${id}-filter-${index}`}
            number={index + 1}
            row={row}
            onChange={(part) => set(index, part)}
            onRemove={() => change(rows.filter((_, at) => at !== index))}
            suggest={suggest && (() => suggest(row.field, filtersOf(rows.filter((it) => it.field !== row.field))))}
          />
        ))}
        <div>
          <Button
            size="sm"
            variant="secondary"
            icon="plus"
            type="button"
            onClick={() => change([...rows, { field: nextField(rows), operator: '=', texts: [] }])}
          >
            Add filter
          </Button>
        </div>
      </Stack>
    </div>
  );
}

interface RowProps {
  id: string;
  number: number;
  row: Row;
  onChange: (part: Partial<Row>) => void;
  onRemove: () => void;
  suggest?: () => Promise<MetricFindValue[]>;
}

function FilterRow({ id, number, row, onChange, onRemove, suggest }: RowProps) {
  const { options, loading, problem, load } = useSuggestions(suggest);
  const chosen = row.texts.map((text) => ({ value: text, label: text === '' ? '(empty)' : text }));
  const hint = row.operator.endsWith('~') ? 'Regular expressions' : 'Values, * for any text';
  return (
    <Stack direction="row" gap={0.5} alignItems="center" wrap="wrap">
      <Select
        inputId={`${id}-field`}
        aria-label={`Field of filter ${number}`}
        width={22}
        options={fieldOptions}
        value={row.field}
        onChange={({ value }) => value && onChange({ field: value, texts: [] })}
      />
      <Select
        inputId={`${id}-operator`}
        aria-label={`Operator of filter ${number}`}
        width={17}
        options={operatorOptions}
        value={row.operator}
        onChange={({ value }) => value && onChange({ operator: value })}
      />
      <div style={{ flex: '1 1 240px', maxWidth: 600 }}>
        <MultiSelect
          inputId={`${id}-values`}
          aria-label={`Values of filter ${number}: ${labelOf(row.field)}`}
          allowCustomValue
          allowCreateWhileLoading
          placeholder={row.field === 'label' ? 'key=value' : hint}
          noOptionsMessage={problem ?? 'Nothing found in this time; type a value'}
          formatCreateLabel={(text) => `Use ${text}`}
          isLoading={loading}
          onOpenMenu={load}
          options={options}
          value={chosen}
          onChange={(values: Array<SelectableValue<string>>) => onChange({ texts: values.map((it) => it.value ?? '') })}
        />
      </div>
      <IconButton name="trash-alt" aria-label={`Remove filter ${number}`} tooltip={`Remove filter ${number}`} onClick={onRemove} />
    </Stack>
  );
}

/** Values to choose from, asked for when the menu opens. The newest question counts. */
function useSuggestions(suggest: RowProps['suggest']) {
  const [options, setOptions] = useState<Array<SelectableValue<string>>>([]);
  const [loading, setLoading] = useState(false);
  const [problem, setProblem] = useState<string>();
  const asked = useRef(0);
  const load = async () => {
    if (!suggest) {
      return;
    }
    const mine = ++asked.current;
    setLoading(true);
    try {
      const found = await suggest();
      if (mine === asked.current) {
        setOptions(found.map(({ text, value }) => ({ label: text === '' ? '(empty)' : text, value: String(value ?? text) })));
        setProblem(undefined);
      }
    } catch (error) {
      if (mine === asked.current) {
        setProblem(`No suggestions: ${messageOf(error)}`);
      }
    } finally {
      if (mine === asked.current) {
        setLoading(false);
      }
    }
  };
  return { options, loading, problem, load };
}

/** What went wrong, as Grafana's requests tell it. */
export function messageOf(error: unknown): string {
  const { data, message, statusText } = (error ?? {}) as {
    data?: { message?: string; error?: string };
    message?: string;
    statusText?: string;
  };
  return data?.message ?? data?.error ?? message ?? statusText ?? String(error);
}
