/**
 * The datasource in the browser: makes saved queries ready to be sent and hands them to the backend, which does the rest. What a query
 * becomes is in `ask/` (pure).
 */
import {
  AnnotationQuery,
  AnnotationSupport,
  CoreApp,
  DataFrame,
  DataQueryError,
  DataQueryRequest,
  DataQueryResponse,
  DataSourceGetTagKeysOptions,
  DataSourceGetTagValuesOptions,
  DataSourceInstanceSettings,
  dateTime,
  LegacyMetricFindQueryOptions,
  LoadingState,
  MetricFindValue,
  ScopedVars,
  StreamingFrameAction,
  TimeRange,
} from '@grafana/data';
import { DataSourceWithBackend, getTemplateSrv, StreamingFrameOptions } from '@grafana/runtime';
import { lastValueFrom, map, Observable, of } from 'rxjs';
import { AdHocFilter, ofAdHoc } from './ask/filters';
import * as legacy from './ask/legacy';
import { resolved } from './ask/resolve';
import { Scope, Templates } from './ask/variables';
import { AnnotationQueryEditor } from './components/AnnotationQueryEditor';
import { ChaosQuery, FieldName, Filters, ID, Settings } from './types';
import { ListSupport } from './variables';

/** What a stream may hold at once, where the query has no limit of its own. */
const MOST_STREAMED = 5000;

/** What `POST preview` says about a query: how many it finds, the first of them, and what a reader should know. */
export interface Found {
  total: number;
  /** There are more. */
  cut?: boolean;
  notices?: string[];
  rows: FoundRow[];
}

/** One of them, in short. */
export interface FoundRow {
  title: string;
  at?: string;
  state?: string;
  id?: string;
}

export class ChaosDataSource extends DataSourceWithBackend<ChaosQuery, Settings> {
  readonly clusterName?: string;

  constructor(settings: DataSourceInstanceSettings<Settings>) {
    super(settings);
    this.clusterName = settings.jsonData?.cluster;
    this.annotations = this.annotationSupport();
    this.variables = new ListSupport(this);
    // A packet holds all there is now, and takes the place of what was.
    this.streamOptionsProvider = (request: DataQueryRequest<ChaosQuery>, frame: DataFrame): Partial<StreamingFrameOptions> => {
      const query = request.targets.find((target) => target.refId === frame.refId);
      const maxLength = Math.max(query?.limit ?? 0, MOST_STREAMED);
      return { maxLength, maxDelta: Infinity, action: StreamingFrameAction.Replace };
    };
  }

  private annotationSupport(): AnnotationSupport<ChaosQuery> {
    return {
      prepareAnnotation: (saved) => legacy.annotation(saved),
      prepareQuery: (anno: AnnotationQuery<ChaosQuery>) =>
        anno.target && { ...anno.target, queryType: 'annotations', topic: false, refId: anno.target.refId ?? 'Anno' },
      // Grafana puts these into a saved annotation that lacks them: nothing here may change what it finds.
      getDefaultQuery: () => ({ queryType: 'annotations', filters: {} }),
      QueryEditor: AnnotationQueryEditor,
    };
  }

  getDefaultQuery(app: CoreApp): Partial<ChaosQuery> {
    switch (app) {
      case CoreApp.Explore:
        return { queryType: 'logs', filters: {} };
      case CoreApp.UnifiedAlerting:
      case CoreApp.CloudAlerting:
        return { queryType: 'active', form: 'instant', filters: {} };
      default:
        return { queryType: 'runs', filters: {} };
    }
  }

  filterQuery(query: ChaosQuery): boolean {
    return !query.hide && (query.queryType !== 'values' || Boolean(query.list));
  }

  private scope(scopedVars: ScopedVars): Scope {
    return { templates: getTemplateSrv() as Templates, scopedVars, id: ID };
  }

  /** A query that cannot be said is told about, and its neighbours run. */
  query(request: DataQueryRequest<ChaosQuery>): Observable<DataQueryResponse> {
    const problems: DataQueryError[] = [];
    const targets = request.targets.filter((target) => {
      try {
        this.applyTemplateVariables(target, request.scopedVars, request.filters);
        return true;
      } catch (error) {
        problems.push({ refId: target.refId, message: error instanceof Error ? error.message : String(error) });
        return false;
      }
    });
    if (problems.length === 0) {
      return super.query(request);
    }
    const told = (answer: DataQueryResponse): DataQueryResponse => {
      const errors = [...(answer.errors ?? []), ...problems];
      return { ...answer, errors, error: errors[0], state: LoadingState.Error };
    };
    return targets.length === 0 ? of(told({ data: [] })) : super.query({ ...request, targets }).pipe(map(told));
  }

  applyTemplateVariables(query: ChaosQuery, scopedVars: ScopedVars, filters?: AdHocFilter[]): ChaosQuery {
    return resolved(query, this.scope(scopedVars), filters);
  }

  interpolateVariablesInQueries(queries: ChaosQuery[], scopedVars: ScopedVars, filters?: AdHocFilter[]): ChaosQuery[] {
    return queries.map((query) => ({ ...this.applyTemplateVariables(query, scopedVars, filters), datasource: this.getRef() }));
  }

  getQueryDisplayText(query: ChaosQuery): string {
    const filters = Object.entries(legacy.isLegacy(query) ? legacy.filtersOf(query) : (query.filters ?? {}));
    return [query.queryType ?? 'events', ...filters.map(([field, values]) => `${field}=${values?.join(',')}`)].join(' ');
  }

  /** Variables of Grafana before 8, and of dashboards that have not been opened since: a query without an editor of its own. */
  async metricFindQuery(query: unknown, options?: LegacyMetricFindQueryOptions): Promise<MetricFindValue[]> {
    const target = legacy.variable(query);
    if (!this.filterQuery(target)) {
      return [];
    }
    const range = options?.range ?? lastHour();
    const request = { targets: [target], range, scopedVars: options?.scopedVars ?? {}, requestId: 'values' };
    const answer = await lastValueFrom(this.query(request as unknown as DataQueryRequest<ChaosQuery>));
    return valuesIn(answer);
  }

  getTagKeys(_options?: DataSourceGetTagKeysOptions<ChaosQuery>): Promise<MetricFindValue[]> {
    return this.getResource('tag-keys');
  }

  getTagValues(options: DataSourceGetTagValuesOptions<ChaosQuery>): Promise<MetricFindValue[]> {
    // What is chosen for another field narrows the choice for this one.
    const others = options.filters?.filter((filter) => filter.key !== options.key);
    return this.values(options.key as FieldName, sayable(others), options.timeRange);
  }

  /** Values a field has in a time. A text is looked for anywhere, so it has none. */
  async values(field: FieldName, filters: Filters, range?: TimeRange): Promise<MetricFindValue[]> {
    if (field === 'text') {
      return [];
    }
    const answer: { values: string[] } = await this.postResource(`values?${within(range)}`, { list: `field:${field}`, filters });
    return answer.values.map((text) => ({ text }));
  }

  /** What a query finds now, without showing it. */
  preview(query: ChaosQuery, range?: TimeRange, scopedVars: ScopedVars = {}): Promise<Found> {
    return this.postResource(`preview?${within(range)}`, this.applyTemplateVariables(query, scopedVars));
  }
}

const within = (range: TimeRange = lastHour()) => `from=${range.from.valueOf()}&to=${range.to.valueOf()}`;

/** Ad hoc filters, without those that cannot be said: they are told about when the query is run. */
function sayable(filters: AdHocFilter[] | undefined): Filters {
  try {
    return ofAdHoc(filters);
  } catch {
    return {};
  }
}

function lastHour(): TimeRange {
  const to = dateTime();
  const from = dateTime(to).subtract(1, 'hour');
  return { from, to, raw: { from: 'now-1h', to: 'now' } };
}

/** The texts and values of an answer. */
function valuesIn(answer: DataQueryResponse): MetricFindValue[] {
  const problem = answer.errors?.[0];
  if (problem) {
    throw new Error(problem.message);
  }
  const fields = answer.data.flatMap((frame: DataFrame) => frame.fields);
  const texts = fields.find((field) => field.name === 'text') ?? fields[0];
  const values = fields.find((field) => field.name === 'value') ?? texts;
  return [...(texts?.values ?? [])].map((text, index) => ({ text: String(text), value: values.values[index] }));
}
