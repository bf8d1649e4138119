// docs/monitoring/alerts.yml: the alert rules of all tables, one group for each program.

import { stringify } from 'yaml'
import type { AlertSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'
import { type MetricTable, metricTables } from './metricTables.ts'
import { withName } from './promql.ts'

export interface NamedAlert {
  /** Title of the table: `Broker`. */
  readonly program: string
  readonly alert: AlertSpec
  readonly expression: string
}

/**
 * The alert for programs that do not answer. It needs a metric of Prometheus, because such a
 * program has none.
 */
const targetDown: AlertSpec = {
  name: 'MillraceTargetDown',
  expression: 'up{job=~"millrace.*"} == 0',
  for: '2m',
  severity: 'critical',
  summary: '{{ $labels.instance }} ({{ $labels.job }}) has not answered a scrape for 2 minutes.',
  action:
    'Look whether the program runs and whether its HTTP address can be reached from Prometheus (it listens on loopback unless told otherwise); its log says why it ended.',
}

function alertsOf({ title, metrics }: MetricTable): NamedAlert[] {
  return metrics.flatMap((metric) =>
    (metric.alerts ?? []).map((alert) => {
      return { program: title, alert, expression: withName(alert.expression, metric) }
    }),
  )
}

export const allAlerts: readonly NamedAlert[] = [
  { program: 'Every program', alert: targetDown, expression: targetDown.expression },
  ...metricTables.flatMap(alertsOf),
]

export function alertRules(): string {
  const groups = [...Map.groupBy(allAlerts, ({ program }) => program)].map(([program, alerts]) => {
    const name = `millrace-${program.toLowerCase().replaceAll(' ', '-')}`
    return { name, rules: alerts.map(rule) }
  })
  return `# Written by \`npm run docs\`: change the tables of metrics, not this file.\n${stringify({ groups }, { lineWidth: 0 })}`
}

function rule({ alert, expression }: NamedAlert) {
  const { name, severity, summary, action } = alert
  return {
    ...{ alert: name, expr: expression, for: alert.for },
    labels: { severity },
    annotations: {
      summary,
      description: action,
      runbook: `docs/monitoring/README.md#${name.toLowerCase()}`,
    },
  }
}
