/** What Grafana loads: the datasource and its editors. */
import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor } from './components/ConfigEditor';
import { QueryEditor } from './components/QueryEditor';
import { QueryEditorHelp } from './components/QueryEditorHelp';
import { ChaosDataSource } from './datasource';
import { ChaosQuery, Secrets, Settings } from './types';

export const plugin = new DataSourcePlugin<ChaosDataSource, ChaosQuery, Settings, Secrets>(ChaosDataSource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor)
  .setQueryEditorHelp(QueryEditorHelp);
