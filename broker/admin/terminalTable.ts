// The board as a table for a terminal: plain text, one string, redrawn once a second by whoever
// owns the terminal.

import { styleText } from 'node:util'
import type { JobPicture, Picture, ViewPicture } from './board.ts'

const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const barWidth = 24

/** `color` false leaves out every escape sequence. */
export function terminalTable(picture: Picture, color: boolean): string {
  const bold = (text: string) => (color ? styleText('bold', text) : text)
  const dim = (text: string) => (color ? styleText('dim', text) : text)
  return [
    ...picture.agents.map((agent) => {
      const fill = `channel ${Math.round(agent.channelFill * 100)} % full`
      return row(
        'agent',
        bold(agent.name),
        `${count(agent.linesPerSecond)} lines/s`,
        dim(`${count(agent.linesTotal)} lines, ${fill}`),
      )
    }),
    ...picture.topics.map((topic) =>
      row(
        'topic',
        bold(topic.name),
        `${count(topic.recordsPerSecond)} records/s`,
        dim(`${count(topic.records)} records`),
      ),
    ),
    ...picture.jobs.flatMap((job) => [
      row('job', bold(job.name), `${count(job.recordsPerSecond)} records/s`, dim(progress(job))),
      ...job.views
        .filter((view) => view.chart === 'bar')
        .flatMap((view) => ['', ...table(view, bold)]),
    ]),
    '',
  ].join('\n')
}

/** A view as a table with its bars: one line a key. */
export function table(
  view: ViewPicture,
  bold: (text: string) => string = (text) => text,
): string[] {
  const total = view.rows.reduce((sum, [, value]) => sum + value, 0)
  const largest = Math.max(1, ...view.rows.map(([, value]) => value))
  const labels = view.rows.map(([key]) => view.labels?.[key] ?? (key === '' ? 'not given' : key))
  const labelWidth = Math.max(8, ...labels.map((label) => label.length))
  return [
    `  ${bold(view.title)}: ${count(total)}`,
    ...view.rows.map(([, value], at) => {
      const share = ((100 * value) / Math.max(1, total)).toFixed(1)
      const bar = '█'.repeat(Math.round((barWidth * value) / largest)).padEnd(barWidth, '·')
      return `    ${labels[at]!.padEnd(labelWidth)} ${bar} ${count(value).padStart(12)} ${share.padStart(5)} %`
    }),
  ]
}

function row(kind: string, name: string, rate: string, more: string): string {
  return `  ${kind.padEnd(6)} ${name}  ${rate}  ${more}`
}

function progress(job: JobPicture): string {
  const { lastBatch } = job
  if (job.error !== undefined) return `${job.state}: ${job.error}`
  const counted = `${count(job.recordsTotal)} counted, lag ${count(job.lagRecords)}`
  if (!lastBatch) return counted
  const latency = lastBatch.records > 0 ? `, line to result ${count(lastBatch.latencyMs)} ms` : ''
  return `${counted}${latency}, batch ${count(lastBatch.processingTimeMs)} ms`
}

function count(value: number): string {
  return numbers.format(value)
}
