// docs/metrics.md: every metric of every program.

import { type MetricTable, metricTables } from './metricTables.ts'
import { asText, page } from './page.ts'

export function metricsPage(): string {
  return page(
    'Metrics',
    [
      'Every program serves its metrics at `GET /metrics` of its HTTP address, in the text format of Prometheus. Boards for Grafana, alert rules and an example configuration of Prometheus: [monitoring/](monitoring/README.md).',
      'Units are base units: seconds and bytes. A metric that ends in `_total` is a counter, which begins at 0 with the process unless its text says otherwise. A histogram `x` has the series `x_bucket`, `x_sum` and `x_count`.',
    ].join('\n\n'),
    [metricTables.map(section).join('\n\n')],
  )
}

function section({ title, about, metrics }: MetricTable): string {
  const hasFlumeNames = metrics.some(({ flumeName }) => flumeName !== undefined)
  const rows = metrics.map(({ name, type, labels = [], help, flumeName }) => {
    const cells = [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(', '),
      asText(help),
    ]
    if (hasFlumeNames) cells.push(flumeName === undefined ? '' : `\`${flumeName}\``)
    return `| ${cells.join(' | ')} |`
  })
  const head = ['name', 'type', 'labels', '', ...(hasFlumeNames ? ["Flume's name"] : [])]
  return [
    ...[`## ${title}`, '', about, ''],
    `| ${head.join(' | ')} |`,
    `|${'---|'.repeat(head.length)}`,
    ...rows,
  ].join('\n')
}
