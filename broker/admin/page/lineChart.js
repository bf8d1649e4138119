// A line chart over the last minutes: uPlot inside a component, resized with its box.

import uPlot from 'uplot'
import { Component, html } from './markup.js'

const height = 200
const timeOf = (seconds) => new Date(seconds * 1000).toLocaleTimeString('en-GB')

/**
 * Lines of `series` ({label, color, values}) over `times` (seconds since the epoch). `least` is the
 * top of the scale while all values are 0.
 */
export class LineChart extends Component {
  componentDidMount() {
    this.observer = new ResizeObserver(() => this.resize())
    this.observer.observe(this.box)
    this.build()
  }

  componentDidUpdate() {
    // A key that appears later is a new line, which uPlot takes only at construction.
    if (this.names !== this.props.series.map((line) => line.label).join('\n')) this.build()
    else this.plot.setData(this.data())
  }

  componentWillUnmount() {
    this.observer.disconnect()
    this.plot.destroy()
  }

  data() {
    return [this.props.times, ...this.props.series.map((line) => line.values)]
  }

  build() {
    const { series, format, least = 10 } = this.props
    this.plot?.destroy()
    this.names = series.map((line) => line.label).join('\n')
    const style = getComputedStyle(document.documentElement)
    const axis = {
      stroke: style.getPropertyValue('--muted'),
      grid: { stroke: style.getPropertyValue('--line'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui, sans-serif',
    }
    this.plot = new uPlot(
      {
        width: this.box.clientWidth,
        height,
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 12, 0, 0],
        scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : least] } },
        axes: [
          { ...axis, size: 28, space: 90, values: (_plot, ticks) => ticks.map(timeOf) },
          { ...axis, size: 56, space: 36, values: (_plot, ticks) => ticks.map(format) },
        ],
        series: [
          {},
          ...series.map(({ label, color }) => ({
            label,
            stroke: color,
            width: 2,
            points: { show: false },
            spanGaps: true,
          })),
        ],
      },
      this.data(),
      this.box,
    )
  }

  resize() {
    const width = this.box.clientWidth
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height })
  }

  render() {
    return html`<div class="plot" ref=${(box) => {
      this.box = box ?? this.box
    }}></div>`
  }
}
