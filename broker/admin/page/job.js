// One job: its results and its batch times. With many jobs the sections are collapsed, and draw
// nothing until they are opened.

import { count, duration, labelOf, percent } from './format.js'
import { valuesOf } from './history.js'
import { LineCard } from './lineCard.js'
import { Component, html } from './markup.js'
import { ShareCard } from './shareCard.js'

export class JobSection extends Component {
  constructor(props) {
    super(props)
    this.state = { open: props.unfolded }
  }

  render() {
    const { job, chart } = this.props
    const { open } = this.state
    const toggled = (event) => this.setState({ open: event.currentTarget.open })
    return html`<details class="job" open=${open} onToggle=${toggled}>
      <summary><h2>${job.name}</h2> <span class="muted">${summary(job)}</span></summary>
      ${open && html`<${Notes} job=${job} /><${Results} job=${job} chart=${chart} />`}
    </details>`
  }
}

function summary({ state, recordsTotal, lagMs, topics }) {
  const from = topics.length === 0 ? '' : ` from ${topics.join(', ')}`
  return `${state}, ${count(recordsTotal)} counted${from}, ${duration(lagMs)} behind`
}

/**
 * Notes beside the figures: why the job failed, what delays it, what it left out, where it runs.
 */
function Notes({ job }) {
  const { state, error, slowBatch, rejected, lostRecords, lateRows, host, address } = job
  return html`<div class="notes">
    ${state === 'failed' && error && html`<pre class="error">${error}</pre>`}
    ${slowBatch && html`<p class="warning">Now: ${slowBatch.text}</p>`}
    ${
      lostRecords > 0 &&
      html`<p class="warning">${count(lostRecords)} records were deleted before the job read them.</p>`
    }
    ${rejected && html`<${Rejected} rejected=${rejected} />`}
    ${lateRows > 0 && html`<p>${count(lateRows)} rows arrived too late and were not counted.</p>`}
    ${host && html`<p class="muted">on host ${host}${address && `, answers at ${address}`}</p>`}
  </div>`
}

function Rejected({ rejected }) {
  const { total, topics, first } = rejected
  const each = topics.map(({ topic, records }) => `${topic} ${count(records)}`).join(', ')
  return html`<details class="warning">
    <summary class="warning-title">
      ${count(total)} records rejected since the start (${each})
    </summary>
    <ul>
      ${first.map(
        ({ topic, partition, offset, error }, at) => html`<li key=${at}>
          ${topic}-${partition} offset ${count(offset)}: ${error}
        </li>`,
      )}
    </ul>
  </details>`
}

function Results({ job, chart }) {
  return html`<div class="charts">
    ${job.views.length === 0 && html`<p class="muted">${job.name} has no results yet.</p>`}
    ${job.views.map((view) =>
      view.chart === 'bar'
        ? html`<${Bars} key=${view.name} view=${view} />`
        : html`<${ShareCard} key=${view.name} view=${view} job=${job} chart=${chart} />`,
    )}
    <${BatchTimes} job=${job} chart=${chart} />
  </div>`
}

function Bars({ view }) {
  const largest = Math.max(1, ...view.rows.map(([, value]) => value))
  const rest = view.rowsLeftOut > 0 ? `, ${count(view.rowsLeftOut)} smaller keys left out` : ''
  return html`<article>
    <h3>${view.title}</h3>
    <span class="muted">${count(view.total)} in all, batch ${view.batchId}${rest}</span>
    <div class="bars">
      ${view.rows.map(
        ([key, value]) => html`
          <span class="key" key=${`k${key}`}>${labelOf(view, key)}</span>
          <span class="track" key=${`t${key}`}>
            <span class="bar" style=${`width:${(100 * Math.max(0, value)) / largest}%`}></span>
          </span>
          <span class="number" key=${`n${key}`}>${count(value)}</span>
          <span class="number muted" key=${`p${key}`}>${percent(value / Math.max(1, view.total))}</span>`,
      )}
    </div>
  </article>`
}

function BatchTimes({ job, chart }) {
  const { points } = chart
  const series = [
    ['waiting', 'schedulingDelayMs'],
    ['processing', 'processingTimeMs'],
    ['line to result', 'latencyMs'],
  ].map(([label, field]) => ({
    label,
    values: valuesOf(points, (point) => point.jobs[job.id]?.[field]),
  }))
  if (!points.some((point) => point.jobs[job.id])) {
    return html`<article><h3>Batches of ${job.name}</h3>
      <span class="muted">No history for this job: too many jobs or keys.</span>
    </article>`
  }
  return html`<${LineCard} title=${`Batches of ${job.name}`} kind="duration" format=${duration}
    note=${`one every ${duration(job.batchIntervalMs)}`} series=${series} chart=${chart} />`
}
