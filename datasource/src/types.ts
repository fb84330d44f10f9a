/**
 * What is saved: queries in dashboards, settings in Grafana's database. The backend reads the same JSON (`backend/src/query/parse.rs`,
 * `settings.rs`); `query.examples.json` is read by tests of both sides, so that they cannot drift apart.
 */
import { DataSourceJsonData } from '@grafana/data';
import { DataQuery } from '@grafana/schema';

/** The plugin's id, as in plugin.json. */
export const ID = 'chaoscope-events-datasource';

/** What a query can ask for. The order is the editor's. */
export const QUERY_TYPES = ['runs', 'timeline', 'active', 'targets', 'events', 'logs', 'annotations', 'upcoming'] as const;

/** The list of a variable is asked for by a type of its own. */
export type QueryType = (typeof QUERY_TYPES)[number] | 'values';

/** What a query can filter by: the parameters of Chaoscope's API. */
export const FIELDS = [
  'tool',
  'cluster',
  'kind',
  'namespace',
  'name',
  'phase',
  'outcome',
  'target_namespace',
  'target_pod',
  'target_node',
  'target_workload',
  'label',
  'reason',
  'type',
  'text',
] as const;

export type FieldName = (typeof FIELDS)[number];

/** Values by field, in the API's language: `*` is any text, a leading `~` a regular expression, a leading `!` not; several are alternatives. */
export type Filters = Partial<Record<FieldName, string[]>>;

/** What a variable can list besides `field:<name>`. The order is the editor's. */
export const LISTS = [
  'kinds',
  'namespaces',
  'experiments',
  'schedules',
  'workflows',
  'clusters',
  'tools',
  'target_namespace',
  'target_pod',
  'target_node',
  'target_workload',
] as const;

/** What active runs can be counted by. */
export const COUNTED_BY = [
  'tool',
  'cluster',
  'kind',
  'action',
  'namespace',
  'name',
  'phase',
  'target_namespace',
  'target_pod',
  'target_node',
  'target_workload',
] as const;

/** What chaosmeshorg-datasource saved: no `queryType`, no `filters`. */
export interface LegacyFields {
  object_id?: string | string[];
  namespace?: string | string[];
  name?: string | string[];
  kind?: string | string[];
}

/** One saved query. */
export interface ChaosQuery extends DataQuery, LegacyFields {
  queryType?: QueryType;
  filters?: Filters;
  /** Most rows; null or absent is the backend's own limit. */
  limit?: number | null;
  /** timeline: one row for each. */
  rows?: 'run' | 'target';
  /** active: a number now, or over time. */
  form?: 'instant' | 'series';
  /** active: counted by these. */
  by?: string[];
  /** annotations: with what schedules will start. */
  upcoming?: boolean;
  /** annotations: asked by a panel, so that the frame says what it is. */
  topic?: boolean;
  /** Kept current over Grafana Live. */
  stream?: boolean;
  /** values: what is listed. */
  list?: string;
  /** Filtered by the dashboard's own variables. Resolved here: the backend never sees it from a dashboard. */
  matchDashboard?: boolean;
}

/** Where runs come from. */
export type Origin = 'chaoscope' | 'dashboard';

/** Settings that are no secrets. Names that Grafana itself knows are its own. */
export interface Settings extends DataSourceJsonData {
  origin?: Origin;
  /** Seconds until an answer is given up. */
  timeout?: number;
  /** Of Chaoscope: only this cluster's runs. Of a Chaos Dashboard, which does not tell: what its cluster is called. */
  cluster?: string;
  /** Where a person's browser finds Chaoscope's status page: links lead there. */
  publicUrl?: string;
  /** Filters that hold for every query. */
  filters?: Filters;
  /** Most rows of a query that has no limit of its own. */
  limit?: number;
  /** Seconds an answer is kept for others who ask the same. */
  cacheSeconds?: number;
  /** An HTTP proxy on the way to the origin. */
  proxyUrl?: string;
  proxyUser?: string;
  /** The caller's own identity is sent on. */
  oauthPassThru?: boolean;
  tlsSkipVerify?: boolean;
  /** A client certificate is sent. */
  tlsAuth?: boolean;
  /** Another certificate authority is trusted. */
  tlsAuthWithCACert?: boolean;
  /** The name the server's certificate has to carry, where it is not the address's. */
  serverName?: string;
  /** httpHeaderName1 … */
  [header: `httpHeaderName${number}`]: string | undefined;
}

/** Settings that are secrets: written, never read back. */
export interface Secrets {
  token?: string;
  basicAuthPassword?: string;
  tlsCACert?: string;
  tlsClientCert?: string;
  tlsClientKey?: string;
  proxyPassword?: string;
  /** httpHeaderValue1 … */
  [header: `httpHeaderValue${number}`]: string | undefined;
}
