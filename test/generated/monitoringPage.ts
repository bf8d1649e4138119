// docs/monitoring/README.md: how Prometheus and Grafana are used, and what each alert means.

import { allAlerts, type NamedAlert } from './alertRules.ts'
import { boardSpecs } from './boards.ts'
import { asText, notice } from './page.ts'

export function monitoringPage(): string {
  const boards = boardSpecs.map(({ uid, title, description }) => {
    const file = `${uid.replace('millrace-', '')}.json`
    return `| [\`${file}\`](grafana/${file}) | ${title} | ${description} |`
  })
  const groups = [...Map.groupBy(allAlerts, ({ program }) => program)].map(([program, alerts]) =>
    [`### ${program}`, ...alerts.map(section)].join('\n\n'),
  )
  return [
    notice,
    '# Prometheus and Grafana',
    'Every program serves its metrics at `GET /metrics` of its HTTP address, which is one of loopback unless told otherwise. [All metrics](../metrics.md).',
    [
      '| program | address |',
      '|---|---|',
      '| `millrace broker` | `--console-port`, beside the console |',
      "| `millrace agent` | `--listen`; `flume.monitoring.port` is Flume's own page, as JSON |",
      '| `millrace submit` | `--listen`, the address of the job |',
    ].join('\n'),
    '## Set up',
    [
      '1. Copy [`prometheus.yml`](prometheus.yml) and [`alerts.yml`](alerts.yml) into one directory, write the addresses of your programs into the first, and start `prometheus --config.file=prometheus.yml`. Names of scrape jobs begin with `millrace`: the rule `MillraceTargetDown` is about these.',
      '2. In Grafana, add the Prometheus as a data source, and import the boards (Dashboards, New, Import). They need no changes: the data source is chosen at the top of each board.',
      '3. Read through the rules before you rely on them. Their bounds suit small and middling loads; what is normal in your house may be another figure.',
    ].join('\n'),
    'There is no login yet. A broker on another host serves metrics and health alone at a second address (`--metrics-listen HOST:PORT`). Agents and jobs are reached through a port that is forwarded (an SSH tunnel, an agent of Prometheus on that host), or with `--insecure`, which opens all of their address to everyone who reaches it.',
    '## Boards',
    ['| file | board | |', '|---|---|---|', ...boards].join('\n'),
    '## Alerts',
    'By the name of the rule: what it says, when, and what to do.',
    ...groups,
    '',
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n')
}

function section({ alert, expression }: NamedAlert): string {
  const { name, severity, summary, action } = alert
  const lasting = alert.for === '0m' ? 'at once' : `after ${alert.for}`
  return [
    `#### ${name}`,
    `${severity}, ${lasting}: \`${expression}\``,
    `> ${asText(summary)}`,
    asText(action),
  ].join('\n\n')
}
