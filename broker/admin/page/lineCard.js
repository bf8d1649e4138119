// A card with a line chart (uPlot) and a legend with the latest values, or those at the cursor.

import uPlot from 'uplot'
import { cursorText, described, movedBy, nearest } from './chartCursor.js'
import { axisLabels, timeOfDay } from './format.js'
import { isolated, spans } from './history.js'
import { Component, html } from './markup.js'

const height = 200
/** Distinguished by dashes as well as by hue, in light and dark mode. */
const strokes = [
  ['--line-1', []],
  ['--line-2', [6, 3]],
  ['--line-3', [2, 3]],
  ['--line-4', []],
  ['--line-5', [6, 3]],
  ['--line-6', [2, 3]],
]

/**
 * Props: `series` is {label, values} over `chart.points`; `kind` selects the axis units, `format`
 * formats one value.
 */
export class LineCard extends Component {
  componentDidMount() {
    this.resizes = new ResizeObserver(() => this.resize())
    this.resizes.observe(this.box)
    this.scheme = matchMedia('(prefers-color-scheme: dark)')
    this.rebuild = () => this.build()
    this.scheme.addEventListener('change', this.rebuild)
    this.build()
  }

  componentDidUpdate() {
    // uPlot takes a new line only at construction.
    if (this.names !== namesOf(this.props.series)) this.build()
    else this.plot.setData(this.data())
  }

  componentWillUnmount() {
    this.resizes.disconnect()
    this.scheme.removeEventListener('change', this.rebuild)
    this.plot.destroy()
  }

  data() {
    const { series, chart } = this.props
    return [chart.points.map(({ timeMs }) => timeMs / 1000), ...series.map(({ values }) => values)]
  }

  build() {
    const { series } = this.props
    this.plot?.destroy()
    this.names = namesOf(series)
    const style = getComputedStyle(document.documentElement)
    const axis = {
      stroke: style.getPropertyValue('--muted'),
      grid: { stroke: style.getPropertyValue('--line'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, sans-serif',
    }
    const lines = series.map(({ label }, at) => {
      const [color, dash] = strokes[at % strokes.length]
      const stroke = style.getPropertyValue(color)
      const points = { show: true, size: 5, fill: stroke, filter: onlyIsolated }
      return { label, stroke, dash, width: 2, points, spanGaps: false }
    })
    this.plot = new uPlot(
      {
        width: this.box.clientWidth,
        height,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        // Space for half of the last label at the right end of the axis.
        padding: [8, 30, 0, 0],
        scales: {
          x: { range: () => this.window() },
          y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
        },
        axes: [
          { ...axis, size: 28, space: 90, values: (_plot, ticks) => ticks.map(clock) },
          {
            ...axis,
            size: 64,
            space: 36,
            values: (_plot, ticks, _axis, _space, step) => axisLabels(this.props.kind, ticks, step),
          },
        ],
        series: [{}, ...lines],
        hooks: { setCursor: [(plot) => this.pointed(plot)] },
      },
      this.data(),
      this.box,
    )
  }

  window() {
    const { endMs, span } = this.props.chart
    return [(endMs - spans[span].ms) / 1000, endMs / 1000]
  }

  pointed({ cursor, posToVal }) {
    const { chart } = this.props
    const timeMs = posToVal(cursor.left, 'x') * 1000
    const at = cursor.left >= 0 ? nearest(chart, timeMs) : undefined
    if (at !== this.state.at) this.setState({ at })
  }

  moved(event) {
    const { points } = this.props.chart
    const at = movedBy(event, this.state.at, points.length)
    if (at === this.state.at) return
    const left = at === undefined ? -10 : this.plot.valToPos(points[at].timeMs / 1000, 'x')
    this.plot.setCursor({ left, top: 10 })
    this.setState({ at })
  }

  resize() {
    const width = this.box.clientWidth
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height })
  }

  render() {
    const { title, note, series, format, chart } = this.props
    const { at } = this.state
    return html`<article>
      <h3>${title}</h3>
      <span class="muted">${note ?? spans[chart.span].text} <output>${cursorText(chart.points, at)}</output></span>
      <ul class="legend">
        ${series.map(
          ({ label, values }, line) => html`<li key=${label}>
            <svg class=${`key-${(line % strokes.length) + 1}`} viewBox="0 0 18 4" aria-hidden="true"><path d="M0 2h18" /></svg>
            ${label} <b>${format(values.at(at ?? -1))}</b>
          </li>`,
        )}
      </ul>
      <div class="plot" role="img" tabindex="0" aria-label=${described(title, spans[chart.span].text, series, format)}
        onKeyDown=${(event) => this.moved(event)}
        ref=${(box) => {
          this.box = box ?? this.box
        }}></div>
    </article>`
  }
}

const namesOf = (series) => series.map(({ label }) => label).join('\n')
const clock = (seconds) => timeOfDay(seconds * 1000)
const onlyIsolated = (plot, series) => isolated(plot.data[series])
