/** The editor of the settings: where runs come from, and how that is reached. What `settings.rs` understands, and nothing else. */
import { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { Alert, ControlledCollapse, Field, FieldSet, Input, RadioButtonGroup, Switch } from '@grafana/ui';
import React, { useState } from 'react';
import { originOptions } from '../fields';
import { Secrets, Settings } from '../types';
import { Change, Headers, NumberField, PemField, SecretField, WIDTH } from './config';
import { Filters } from './Filters';

type Props = DataSourcePluginOptionsEditorProps<Settings, Secrets>;

const SUGGESTED = { chaoscope: 'http://chaoscope.chaoscope:10765', dashboard: 'http://chaos-dashboard.chaos-mesh:2333' };

export function ConfigEditor({ options, onOptionsChange }: Props) {
  const change: Change = {
    options,
    common: (part) => onOptionsChange({ ...options, ...part }),
    json: (part) => onOptionsChange({ ...options, jsonData: { ...options.jsonData, ...part } }),
    secret: (name, value) => onOptionsChange({ ...options, secureJsonData: { ...options.secureJsonData, [name]: value } }),
    reset: (name) =>
      onOptionsChange({
        ...options,
        secureJsonFields: { ...options.secureJsonFields, [name]: false },
        secureJsonData: { ...options.secureJsonData, [name]: '' },
      }),
  };
  return (
    <>
      <OriginPart {...change} />
      <LoginPart {...change} />
      <TlsPart {...change} />
      <RestPart {...change} />
    </>
  );
}

function OriginPart({ options, common, json }: Change) {
  const { origin = 'chaoscope', cluster, publicUrl } = options.jsonData;
  return (
    <FieldSet label="Where runs come from">
      <Field label="Origin" description={originOptions.find((it) => it.value === origin)?.description}>
        <RadioButtonGroup aria-label="Origin" options={originOptions} value={origin} onChange={(value) => json({ origin: value })} />
      </Field>
      <Field label="URL" htmlFor="config-url" description="As Grafana’s server reaches it" required>
        <Input
          id="config-url"
          width={WIDTH}
          placeholder={SUGGESTED[origin]}
          value={options.url}
          onChange={(event) => common({ url: event.currentTarget.value.trim() })}
        />
      </Field>
      <Field
        label="Cluster"
        htmlFor="config-cluster"
        description={
          origin === 'chaoscope'
            ? 'Only runs of this cluster. Empty: of all clusters this Chaoscope knows'
            : 'What its cluster is called, since a Chaos Dashboard does not tell'
        }
      >
        <Input
          id="config-cluster"
          width={WIDTH}
          value={cluster ?? ''}
          onChange={(event) => json({ cluster: event.currentTarget.value || undefined })}
        />
      </Field>
      {origin !== 'dashboard' && (
        <Field
          label="Status page"
          htmlFor="config-page"
          description="As a person’s browser reaches it: tables and annotations link there. Empty: no links"
        >
          <Input
            id="config-page"
            width={WIDTH}
            placeholder="https://chaoscope.example.org"
            value={publicUrl ?? ''}
            onChange={(event) => json({ publicUrl: event.currentTarget.value.trim() || undefined })}
          />
        </Field>
      )}
    </FieldSet>
  );
}

function LoginPart({ options, common, json, secret, reset }: Change) {
  const { oauthPassThru = false } = options.jsonData;
  return (
    <FieldSet label="Who asks">
      {!oauthPassThru && (
        <Alert severity="info" title="Every viewer of this datasource sees what its one token sees">
          Use a token that may see no more than its viewers should, or forward the identity of whoever looks.
        </Alert>
      )}
      <SecretField
        name="token"
        label="Token"
        description="Sent as a bearer token"
        placeholder="Without the word Bearer"
        {...{ options, secret, reset }}
      />
      <Field
        label="Forward identity"
        htmlFor="config-oauth"
        description="Send the OAuth token of the person who looks instead. Alert rules and public dashboards have none"
      >
        <Switch id="config-oauth" value={oauthPassThru} onChange={(event) => json({ oauthPassThru: event.currentTarget.checked })} />
      </Field>
      <Field label="Basic authentication" htmlFor="config-basic">
        <Switch id="config-basic" value={options.basicAuth} onChange={(event) => common({ basicAuth: event.currentTarget.checked })} />
      </Field>
      {options.basicAuth && (
        <>
          <Field label="User" htmlFor="config-user">
            <Input
              id="config-user"
              width={WIDTH}
              value={options.basicAuthUser}
              onChange={(event) => common({ basicAuthUser: event.currentTarget.value })}
            />
          </Field>
          <SecretField name="basicAuthPassword" label="Password" {...{ options, secret, reset }} />
        </>
      )}
    </FieldSet>
  );
}

function TlsPart({ options, json, secret, reset }: Change) {
  const { tlsAuth = false, tlsAuthWithCACert = false, tlsSkipVerify = false, serverName } = options.jsonData;
  const [open] = useState(tlsAuth || tlsAuthWithCACert || tlsSkipVerify || Boolean(serverName));
  return (
    <ControlledCollapse label="TLS" isOpen={open}>
      <Field label="Another certificate authority" htmlFor="config-ca" description="Besides those everybody trusts">
        <Switch id="config-ca" value={tlsAuthWithCACert} onChange={(event) => json({ tlsAuthWithCACert: event.currentTarget.checked })} />
      </Field>
      {tlsAuthWithCACert && <PemField name="tlsCACert" label="CA certificate" {...{ options, secret, reset }} />}
      <Field label="Client certificate" htmlFor="config-client">
        <Switch id="config-client" value={tlsAuth} onChange={(event) => json({ tlsAuth: event.currentTarget.checked })} />
      </Field>
      {tlsAuth && <PemField name="tlsClientCert" label="Certificate" {...{ options, secret, reset }} />}
      {tlsAuth && <PemField name="tlsClientKey" label="Key" {...{ options, secret, reset }} />}
      <Field
        label="Server name"
        htmlFor="config-server-name"
        description="The name its certificate carries, where that is not the address’s"
      >
        <Input
          id="config-server-name"
          width={WIDTH}
          value={serverName ?? ''}
          onChange={(event) => json({ serverName: event.currentTarget.value || undefined })}
        />
      </Field>
      <Field
        label="Skip verification"
        htmlFor="config-skip"
        description="Anybody on the way can then read the token and change the answers"
      >
        <Switch id="config-skip" value={tlsSkipVerify} onChange={(event) => json({ tlsSkipVerify: event.currentTarget.checked })} />
      </Field>
    </ControlledCollapse>
  );
}

function RestPart(change: Change) {
  const { options, json, secret, reset } = change;
  const { filters, proxyUrl, proxyUser } = options.jsonData;
  return (
    <>
      <ControlledCollapse label="Filters that always hold" isOpen={Object.keys(filters ?? {}).length > 0}>
        <Field label="Only runs where" description="Added to every query of this datasource; no editor of a dashboard can widen them">
          <Filters
            id="config"
            filters={filters}
            onChange={(value) => json({ filters: Object.keys(value).length > 0 ? value : undefined })}
          />
        </Field>
      </ControlledCollapse>
      <ControlledCollapse label="Requests" isOpen={false}>
        <NumberField name="timeout" label="Timeout" description="Seconds until an answer is given up" placeholder="Default" {...change} />
        <NumberField
          name="limit"
          label="Limit"
          description="Most rows of a query that has no limit of its own"
          placeholder="Default"
          {...change}
        />
        <NumberField
          name="cacheSeconds"
          label="Keep answers"
          description="Seconds an answer is kept for others who ask the same"
          placeholder="Default"
          {...change}
        />
        <Field label="Proxy" htmlFor="config-proxy">
          <Input
            id="config-proxy"
            width={WIDTH}
            placeholder="http://proxy:3128"
            value={proxyUrl ?? ''}
            onChange={(event) => json({ proxyUrl: event.currentTarget.value.trim() || undefined })}
          />
        </Field>
        {proxyUrl && (
          <>
            <Field label="Proxy user" htmlFor="config-proxy-user">
              <Input
                id="config-proxy-user"
                width={WIDTH}
                value={proxyUser ?? ''}
                onChange={(event) => json({ proxyUser: event.currentTarget.value || undefined })}
              />
            </Field>
            <SecretField name="proxyPassword" label="Proxy password" {...{ options, secret, reset }} />
          </>
        )}
      </ControlledCollapse>
      <ControlledCollapse label="Headers" isOpen={Boolean(options.jsonData.httpHeaderName1)}>
        <Headers {...change} />
      </ControlledCollapse>
    </>
  );
}
