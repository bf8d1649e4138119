// A card with one small chart per key of a view, all on one scale: nine lines in one chart would
// cover one another and need nine colors without a meaning.

import { cursorText, described, movedBy, nearest } from './chartCursor.js'
import { labelOf, percent } from './format.js'
import { isolated, spans, valuesOf } from './history.js'
import { Component, html } from './markup.js'

const width = 200
const height = 44
/** Maximum of the common scale: the first that holds all values. */
const tops = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1]

export class ShareCard extends Component {
  moved(event) {
    const at = movedBy(event, this.state.at, this.props.chart.points.length)
    if (at !== this.state.at) this.setState({ at })
  }

  pointed(event) {
    const { chart } = this.props
    const { endMs, span } = chart
    const { left, width: drawn } = event.currentTarget.getBoundingClientRect()
    const timeMs = endMs - spans[span].ms * (1 - (event.clientX - left) / drawn)
    this.setState({ at: nearest(chart, timeMs) })
  }

  render() {
    const { view, job, chart } = this.props
    const { at } = this.state
    const { points, span } = chart
    const keys = shownKeys(view, job, points)
    const series = keys.map((key) => ({
      key,
      label: labelOf(view, key),
      values: valuesOf(points, (point) => shareOf(point, job, view, key)),
    }))
    const largest = Math.max(0, ...series.flatMap(({ values }) => values))
    const top = tops.find((candidate) => candidate >= largest) ?? 1
    return html`<article>
      <h3>${view.title}</h3>
      <span class="muted">each from 0 to ${percent(top)}, ${spans[span].text} <output>${cursorText(points, at)}</output></span>
      <div class="multiples" role="img" tabindex="0" aria-label=${described(view.title, spans[span].text, series, percent)}
        onKeyDown=${(event) => this.moved(event)} onPointerLeave=${() => this.setState({ at: undefined })}>
        ${series.map(
          ({ key, label, values }) => html`<div class="multiple" key=${key}>
            <span class="key">${label}</span><b>${percent(values.at(at ?? -1))}</b>
            <${Spark} values=${values} top=${top} at=${at} chart=${chart} onPoint=${(event) => this.pointed(event)} />
          </div>`,
        )}
      </div>
    </article>`
  }
}

/** The share of a key: 0 if other keys have one, null if none has. */
function shareOf(point, job, view, key) {
  const shares = point.jobs[job.id]?.shares[view.name]
  if (!shares || Object.keys(shares).length === 0) return null
  return shares[key] ?? 0
}

/** The latest shares that are kept, in the order of the view's rows. */
function shownKeys(view, job, points) {
  const newest = points.findLast(
    (point) => Object.keys(point.jobs[job.id]?.shares[view.name] ?? {}).length > 0,
  )
  const kept = newest?.jobs[job.id].shares[view.name] ?? {}
  return view.rows.map(([key]) => key).filter((key) => key in kept)
}

function Spark({ values, top, at, chart, onPoint }) {
  const { points, endMs, span } = chart
  const x = (index) => width * (1 - (endMs - points[index].timeMs) / spans[span].ms)
  const y = (value) => height - 1 - (height - 3) * Math.min(1, value / top)
  const runs = runsOf(values)
  const line = runs.map(
    (run) => `M${run.map((index) => place(x(index), y(values[index]))).join('L')}`,
  )
  const area = runs.map((run) => {
    const [first, last] = [x(run[0]), x(run.at(-1))]
    return `M${place(first, height)}L${run.map((index) => place(x(index), y(values[index]))).join('L')}L${place(last, height)}Z`
  })
  return html`<svg class="spark" viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true"
    onPointerMove=${onPoint}>
    <path class="area" d=${area.join('')} />
    <path class="stroke" d=${line.join('')} />
    ${isolated(values).map((index) => html`<path class="dot" key=${index} d=${`M${place(x(index), y(values[index]))}h0`} />`)}
    ${at !== undefined && at < points.length && html`<path class="cursor" d=${`M${place(x(at), 0)}V${height}`} />`}
  </svg>`
}

const place = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`

/** Splits indexes into runs of known values. */
function runsOf(values) {
  const runs = []
  values.forEach((value, index) => {
    if (value === null) return
    if (index > 0 && values[index - 1] !== null) runs.at(-1).push(index)
    else runs.push([index])
  })
  return runs
}
