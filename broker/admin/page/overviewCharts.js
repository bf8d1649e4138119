// The charts of all agents and jobs together: throughput, and delay of each job.

import { duration, perSecond } from './format.js'
import { valuesOf } from './history.js'
import { LineCard } from './lineCard.js'
import { html } from './markup.js'

/** More lines cannot be distinguished; the other jobs have charts in their own sections. */
const mostLines = 6

export function Overview({ agents, jobs, chart }) {
  const { points } = chart
  const flow = [
    ['read', agents.length, (point) => point.linesPerSecond],
    ['stored', 1, (point) => point.storedPerSecond],
    ['counted', jobs.length, (point) => point.countedPerSecond],
  ]
    .filter(([, programs]) => programs > 0)
    .map(([label, , pick]) => ({ label, values: valuesOf(points, pick) }))
  const shown = jobs.slice(0, mostLines)
  const behind = shown.map(({ id, name }) => ({
    label: name,
    values: valuesOf(points, (point) => point.jobs[id]?.lagMs),
  }))
  const left = jobs.length - shown.length
  return html`<section class="charts" aria-label="Throughput and delay">
    <${LineCard} title="Throughput" kind="rate" format=${perSecond} series=${flow} chart=${chart} />
    ${
      jobs.length > 0 &&
      html`<${LineCard} title="Results behind, at most" kind="duration" format=${duration}
        note=${left > 0 ? `and ${left} more jobs below` : undefined} series=${behind} chart=${chart} />`
    }
  </section>`
}
