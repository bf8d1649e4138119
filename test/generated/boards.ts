// The boards of Grafana under docs/monitoring/grafana: one row for each row of the tables' panels.
// They can be imported unchanged: the data source is a variable of the board.

import type { MetricSpec, PanelSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'
import { agentTable, brokerTable, jobTable, processTable } from './metricTables.ts'
import { filtered, withName } from './promql.ts'

interface BoardSpec {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly metrics: readonly MetricSpec[]
  /** The rows, in the order of the board. */
  readonly rows: readonly string[]
  /** Labels that a user can select, each with the series that has the possible values. */
  readonly variables: Readonly<Record<string, string>>
}

interface NamedPanel {
  readonly panel: PanelSpec
  readonly metric: MetricSpec
}

const processRow = 'Process'

export const boardSpecs: readonly BoardSpec[] = [
  {
    uid: 'millrace-broker',
    title: 'Millrace broker',
    description: 'Requests, disks, connections and memory of brokers.',
    metrics: [...brokerTable.metrics, ...processTable.metrics],
    rows: ['Requests', 'Disks', 'Connections and memory', 'Log maintenance', processRow],
    variables: { instance: 'millrace_broker_requests_pending' },
  },
  {
    uid: 'millrace-topics',
    title: 'Millrace topics and consumer groups',
    description: 'Traffic and size of topics, lag of consumer groups, open transactions.',
    metrics: brokerTable.metrics,
    rows: ['Consumer groups', 'Topics', 'Transactions'],
    variables: {
      instance: 'millrace_broker_requests_pending',
      topic: 'kafka_topic_partitions',
      consumergroup: 'kafka_consumergroup_members',
    },
  },
  {
    uid: 'millrace-agents',
    title: 'Millrace agents',
    description: 'Sources, channels and sinks of agents, from the line to the acknowledgement.',
    metrics: [...agentTable.metrics, ...processTable.metrics],
    rows: ['Sources', 'Channels', 'Sinks', 'Agents', processRow],
    variables: { instance: 'flume_channel_size', agent: 'flume_channel_size' },
  },
  {
    uid: 'millrace-jobs',
    title: 'Millrace jobs',
    description: 'Batches, records, state and tasks of jobs.',
    metrics: [...jobTable.metrics, ...processTable.metrics],
    rows: [
      'Jobs',
      'Batches',
      'Records',
      'Checkpoints and state',
      'Tasks and executors',
      processRow,
    ],
    variables: { instance: 'millrace_job_driver_up', job_name: 'millrace_job_state' },
  },
]

const columns = 24
const panelWidth = 8
const panelHeight = 8
/** The version of Grafana 11; later versions migrate the boards. */
const schemaVersion = 39
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own form of a variable.
const source = { type: 'prometheus', uid: '${datasource}' }

/** Returns the files of all boards: path below the root of the project -> content. */
export function boardFiles(): [path: string, content: string][] {
  return boardSpecs.map((spec) => {
    const name = spec.uid.replace('millrace-', '')
    return [`docs/monitoring/grafana/${name}.json`, `${JSON.stringify(boardOf(spec), null, 2)}\n`]
  })
}

export function boardOf(spec: BoardSpec) {
  const { uid, title, description } = spec
  return {
    ...{ uid, title, description, tags: ['millrace'], schemaVersion, version: 1 },
    ...{ editable: true, graphTooltip: 1, timezone: 'browser', refresh: '30s' },
    time: { from: 'now-1h', to: 'now' },
    timepicker: {},
    annotations: { list: [] },
    links: [
      {
        ...{ type: 'dashboards', title: 'Millrace', tags: ['millrace'], asDropdown: true },
        ...{ keepTime: true, includeVars: false, targetBlank: false, icon: 'external link' },
      },
    ],
    templating: { list: [sourceVariable, ...Object.entries(spec.variables).map(variable)] },
    panels: panelsOf(spec),
  }
}

const sourceVariable = {
  ...{ type: 'datasource', name: 'datasource', label: 'Data source', query: 'prometheus' },
  ...{ current: {}, hide: 0, refresh: 1, regex: '', includeAll: false, multi: false, options: [] },
}

function variable([label, series]: [string, string]) {
  const query = `label_values(${series}, ${label})`
  return {
    ...{ type: 'query', name: label, label: label.replace('_', ' '), datasource: source },
    ...{ definition: query, query: { query, refId: `variable-${label}` } },
    ...{ includeAll: true, multi: true, allValue: '.*', refresh: 2, sort: 1, hide: 0, regex: '' },
    ...{ current: { selected: true, text: ['All'], value: ['$__all'] }, options: [] },
  }
}

function panelsOf({ metrics, rows, variables }: BoardSpec) {
  const all = metrics.flatMap((metric) =>
    (metric.panels ?? []).map((panel): NamedPanel => ({ panel, metric })),
  )
  const panels: object[] = []
  let y = 0
  const nextId = () => panels.length + 1
  for (const row of rows) {
    const ofRow = Map.groupBy(
      all.filter(({ panel }) => panel.row === row),
      ({ panel }) => panel.title,
    )
    const gridPos = { h: 1, w: columns, x: 0, y }
    panels.push({ id: nextId(), type: 'row', title: row, collapsed: false, gridPos, panels: [] })
    y++
    const perLine = columns / panelWidth
    for (const [at, group] of [...ofRow.values()].entries()) {
      const x = (at % perLine) * panelWidth
      const lineY = y + Math.floor(at / perLine) * panelHeight
      const place = { h: panelHeight, w: panelWidth, x, y: lineY }
      panels.push({ id: nextId(), ...timeSeries(group, Object.keys(variables)), gridPos: place })
    }
    y += Math.ceil(ofRow.size / perLine) * panelHeight
  }
  return panels
}

/** Returns one panel for the metrics whose panels have the same title. */
function timeSeries(group: readonly NamedPanel[], variables: readonly string[]) {
  const [{ panel, metric }] = group as [NamedPanel]
  return {
    ...{ type: 'timeseries', title: panel.title, description: metric.help, datasource: source },
    fieldConfig: {
      defaults: {
        unit: panel.unit,
        custom: { drawStyle: 'line', lineWidth: 1, fillOpacity: 5, spanNulls: false },
        ...(panel.unit === 'percentunit' ? { min: 0, max: 1 } : { min: 0 }),
      },
      overrides: [],
    },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    targets: group.map((each, at) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + at),
      datasource: source,
      expr: filtered(withName(each.panel.query, each.metric), variables),
      legendFormat: each.panel.legend ?? '__auto',
      ...{ range: true, instant: false, editorMode: 'code' },
    })),
  }
}
