// What the page is made of: the flow, the figures, and a chart for every view of every job.

import { bytesPerSecond, compact, count, labelOf, milliseconds, percent } from './format.js'
import { LineChart } from './lineChart.js'
import { html } from './markup.js'

/** Distinguishable for most eyes, in light and dark, by more than hue. */
const palette = [
  '#1f77b4',
  '#e07b00',
  '#2a9d4a',
  '#c2342f',
  '#8250c4',
  '#8c6239',
  '#d452a0',
  '#6b7280',
  '#9aa700',
  '#0fa3b1',
]
const colorAt = (index) => palette[index % palette.length]

/** A key's color is its place among the keys that its job names, so that all charts agree on it. */
function colorOf(view, key) {
  const named = Object.keys(view.labels ?? {}).indexOf(key)
  return colorAt(named === -1 ? view.rows.findIndex(([other]) => other === key) : named)
}

export function Board({ picture, history, connected }) {
  if (!picture) return html`<p class="empty">Waiting for the first figures …</p>`
  return html`
    <${Head} picture=${picture} connected=${connected} />
    <main>
      <${Flow} picture=${picture} />
      <${Figures} picture=${picture} history=${history} />
      ${picture.jobs.map((job) => html`<${JobCharts} key=${job.id} job=${job} history=${history} />`)}
      <${Health} history=${history} />
    </main>`
}

function Head({ picture, connected }) {
  const time = new Date(picture.timeMs).toLocaleTimeString('en-GB')
  return html`<header>
    <img src="/page/icon.svg" alt="" width="28" height="28" />
    <h1>Millrace</h1>
    <span class=${connected ? 'pill good' : 'pill bad'}>
      ${connected ? 'live' : 'connection lost, trying again'}
    </span>
    <time>${time}</time>
  </header>`
}

function Flow({ picture }) {
  const { agents, topics, jobs } = picture
  return html`<section class="flow" aria-label="What flows">
    <${Stage} title="agents" empty="no agent has spoken yet">
      ${agents.map(
        (agent) => html`<${Node} key=${agent.id} name=${agent.name} silent=${agent.silent}
          main=${`${count(agent.linesPerSecond)} lines/s`}
          more=${`${count(agent.linesTotal)} lines, channel ${percent(agent.channelFill)} full`} />`,
      )}
    </${Stage}>
    <${Arrow} />
    <${Stage} title="topics" empty="no topic yet">
      ${topics.map(
        (topic) => html`<${Node} key=${topic.name} name=${topic.name}
          main=${`${count(topic.recordsPerSecond)} records/s`}
          more=${`${count(topic.records)} records, ${bytesPerSecond(topic.bytesInPerSecond)} in`} />`,
      )}
    </${Stage}>
    <${Arrow} />
    <${Stage} title="jobs" empty="no job has spoken yet">
      ${jobs.map(
        (job) => html`<${Node} key=${job.id} name=${job.name} silent=${job.silent}
          failed=${job.state === 'failed'}
          main=${job.state === 'running' ? `${count(job.recordsPerSecond)} records/s` : job.state}
          more=${job.error ?? `${count(job.recordsTotal)} records counted`} />`,
      )}
    </${Stage}>
  </section>`
}

function Stage({ title, empty, children }) {
  return html`<div class="stage">
    <h2>${title}</h2>
    ${children.length > 0 ? children : html`<p class="muted">${empty}</p>`}
  </div>`
}

function Node({ name, main, more, silent, failed }) {
  return html`<div class=${`node${silent ? ' silent' : ''}${failed ? ' failed' : ''}`}>
    <span class="name">${name}${silent ? ' (silent)' : ''}</span>
    <span class="value">${main}</span>
    <span class="muted">${more}</span>
  </div>`
}

function Arrow() {
  return html`<svg class="arrow" viewBox="0 0 48 16" aria-hidden="true">
    <path d="M2 8h40M36 2l7 6-7 6" />
  </svg>`
}

function Figures({ picture, history }) {
  const point = history.at(-1)
  const batch = picture.jobs.find((job) => job.lastBatch)?.lastBatch
  // The newest batch may have been empty; latency is that of the newest one that was not.
  const latencyMs = history.findLast((earlier) => earlier.latencyMs !== null)?.latencyMs
  return html`<section class="figures" aria-label="Figures">
    <${Figure} name="lines tailed" value=${`${count(point?.linesPerSecond ?? 0)}/s`} />
    <${Figure} name="records counted" value=${`${count(point?.recordsPerSecond ?? 0)}/s`} />
    <${Figure} name="into the log" value=${bytesPerSecond(point?.bytesInPerSecond ?? 0)} />
    <${Figure} name="lag" value=${`${compact(point?.lagRecords ?? 0)} records`} />
    <${Figure} name="line to result" value=${milliseconds(latencyMs)} />
    <${Figure} name="batch" value=${milliseconds(batch?.processingTimeMs)} />
  </section>`
}

function Figure({ name, value }) {
  return html`<div class="figure"><span class="muted">${name}</span><b>${value}</b></div>`
}

function JobCharts({ job, history }) {
  if (job.views.length === 0) return html`<p class="muted">${job.name} has no results yet.</p>`
  return html`<section class="charts" aria-label=${`Results of ${job.name}`}>
    ${job.views.map((view) =>
      view.chart === 'bar'
        ? html`<${Bars} key=${view.name} view=${view} />`
        : html`<${Shares} key=${view.name} view=${view} job=${job} history=${history} />`,
    )}
  </section>`
}

function Bars({ view }) {
  const total = view.rows.reduce((sum, [, value]) => sum + value, 0)
  const largest = Math.max(1, ...view.rows.map(([, value]) => value))
  return html`<article>
    <h3>${view.title}</h3>
    <span class="muted">${count(total)} in all, batch ${view.batchId}</span>
    <div class="bars">
      ${view.rows.map(
        ([key, value]) => html`
          <span class="key" key=${`k${key}`}>${labelOf(view, key)}</span>
          <span class="track" key=${`t${key}`}>
            <span class="bar" style=${`width:${(100 * value) / largest}%;background:${colorOf(view, key)}`}></span>
          </span>
          <span class="number" key=${`n${key}`}>${count(value)}</span>
          <span class="number muted" key=${`p${key}`}>${percent(value / Math.max(1, total))}</span>`,
      )}
    </div>
  </article>`
}

function Shares({ view, job, history }) {
  const id = `${job.name}/${view.name}`
  const latest = history.at(-1)?.shares[id] ?? {}
  const series = view.rows.map(([key]) => ({
    key,
    label: labelOf(view, key),
    color: colorOf(view, key),
    values: history.map((point) => point.shares[id]?.[key] ?? null),
  }))
  return html`<article>
    <h3>${view.title}</h3>
    <${Legend} series=${series} figureOf=${({ key }) => percent(latest[key] ?? 0)} />
    <${LineChart} times=${seconds(history)} series=${series} format=${percent} least=${1} />
  </article>`
}

function Legend({ series, figureOf }) {
  return html`<ul class="legend">
    ${series.map(
      (line) => html`<li key=${line.label}>
        <i style=${`background:${line.color}`}></i>${line.label} <b>${figureOf(line)}</b>
      </li>`,
    )}
  </ul>`
}

function Health({ history }) {
  const lines = (...names) =>
    names.map(([label, field], index) => ({
      label,
      color: colorAt(index),
      values: history.map((point) => point[field]),
      last: history.findLast((point) => point[field] !== null)?.[field],
    }))
  const charts = [
    ['Throughput', perSecond, lines(['tailed', 'linesPerSecond'], ['counted', 'recordsPerSecond'])],
    ['Lag in records', compact, lines(['lag', 'lagRecords'])],
    [
      'Batch times',
      milliseconds,
      lines(
        ['waiting', 'schedulingDelayMs'],
        ['processing', 'processingTimeMs'],
        ['line to result', 'latencyMs'],
      ),
    ],
  ]
  return html`<section class="charts three" aria-label="Health">
    ${charts.map(
      ([title, format, series]) => html`<article key=${title}>
        <h3>${title}</h3>
        <${Legend} series=${series} figureOf=${({ last }) => format(last ?? 0)} />
        <${LineChart} times=${seconds(history)} series=${series} format=${format} />
      </article>`,
    )}
  </section>`
}

const perSecond = (value) => `${compact(value)}/s`
const seconds = (history) => history.map((point) => point.timeMs / 1000)
