/** What variables list: a query of type `values`, with an editor of its own. Filters may hold other variables, so lists can be chained. */
import { CustomVariableSupport, DataQueryRequest, DataQueryResponse } from '@grafana/data';
import { Observable } from 'rxjs';
import { variable } from './ask/legacy';
import { VariableQueryEditor } from './components/VariableQueryEditor';
import type { ChaosDataSource } from './datasource';
import { ChaosQuery } from './types';

export class ListSupport extends CustomVariableSupport<ChaosDataSource, ChaosQuery> {
  editor = VariableQueryEditor;

  constructor(private readonly datasource: ChaosDataSource) {
    super();
  }

  query(request: DataQueryRequest<ChaosQuery>): Observable<DataQueryResponse> {
    const targets = request.targets.map((target) => ({ ...variable(target), refId: target.refId ?? 'variable' }));
    return this.datasource.query({ ...request, targets });
  }

  getDefaultQuery(): Partial<ChaosQuery> {
    return { queryType: 'values', list: 'experiments', filters: {} };
  }
}
