// Lays out the board as lines of text for a terminal of any size: problems first, then the flow,
// then as many results as fit.

import { cells, fit, type Line, render, span } from '../../../protocol/commandLine/terminalText.ts'
import { count, duration, percent } from '../../../protocol/telemetry/figures.ts'
import type { ViewStatus } from '../../../protocol/telemetry/status/status.ts'
import type {
  AgentPicture,
  JobPicture,
  LedgerPicture,
  Picture,
  TopicPicture,
} from '../board/picture.ts'

export interface TableSize {
  readonly columns: number
  readonly rows: number
}

/** Size for output that is not a terminal: nothing is cut. */
export const unbounded: TableSize = {
  columns: Number.POSITIVE_INFINITY,
  rows: Number.POSITIVE_INFINITY,
}

const widestBar = 24
const narrowestBar = 4
const widestName = 24
const widestFigures = 18
const widestLabel = 20
const blank: Line = []

/**
 * Returns at most `size.rows` lines, none wider than `size.columns` cells; `title` is the first.
 */
export function terminalTable(
  picture: Picture,
  title: string,
  size: TableSize,
  color: boolean,
): string[] {
  const head = [[span(title, 'bold')], ...verdict(picture, size.rows)]
  const isOnly = picture.jobs.length === 1
  const ledgers = picture.ledgers.map((ledger) => ledgerLine(ledger, isOnly))
  const flow = [...programs(picture), ...ledgers]
  const results = picture.jobs.flatMap(({ name, views }) =>
    views
      .filter(({ chart }) => chart === 'bar')
      .map((view) => ({ ...view, title: isOnly ? view.title : `${name}: ${view.title}` }))
      .map((view) => viewLines(view, size.columns, view.total)),
  )
  return fitted(head, flow, results, size.rows).map((line) => render(line, size.columns, color))
}

/** A view as a table with bars, one line per key, for output that is not a terminal. */
export function table(view: ViewStatus): string[] {
  const total = view.rows.reduce((sum, [, value]) => sum + value, 0)
  return viewLines(view, unbounded.columns, total).map((line) =>
    render(line, unbounded.columns, false),
  )
}

/** Removes lines until they fit: blank lines first, then results, then programs. */
function fitted(head: Line[], flow: Line[], results: Line[][], rows: number): Line[] {
  const roomy = [...head, blank, ...flow, ...results.flatMap((lines) => [blank, ...lines])]
  if (roomy.length <= rows) return roomy
  const dense = [...head, ...flow, ...results.flat()]
  if (dense.length <= rows) return dense
  const shownHead = head.slice(0, rows)
  const room = rows - shownHead.length
  const flowRoom = Math.max(Math.min(3, room), Math.ceil(room / 2))
  const shownFlow = cut(
    flow,
    results.length === 0 ? room : flowRoom,
    'more agents, topics and jobs',
  )
  return [
    ...shownHead,
    ...shownFlow,
    ...cut(results.flat(), room - shownFlow.length, 'more results'),
  ]
}

/** Returns the first `room` lines; the last one says how many are left out. */
function cut(lines: readonly Line[], room: number, what: string): Line[] {
  if (lines.length <= room) return [...lines]
  if (room <= 0) return []
  const more = lines.length - room + 1
  return [...lines.slice(0, room - 1), [span(`  … ${more} ${what}: see the page`, 'dim')]]
}

function verdict({ timeMs, problems, agents, jobs }: Picture, rows: number): Line[] {
  if (problems.length === 0) {
    if (agents.length + jobs.length > 0) return [[span('all is well', 'good')]]
    return [[span(timeMs === 0 ? 'starting' : 'no agent or job has reported yet', 'dim')]]
  }
  const number = `${problems.length} problem${problems.length === 1 ? '' : 's'}`
  const lines = problems.map(({ text }): Line => [span('  ! '), span(text, 'bad')])
  const room = Math.max(1, Math.floor(rows / 4))
  return [[span('NOT WELL', 'bad'), span(`  ${number}`)], ...cut(lines, room, 'more problems')]
}

/** A program or topic on one line. */
interface Row {
  readonly kind: string
  readonly name: string
  readonly figures: string
  readonly more: string
}

function programs({ agents, topics, topicsTotal, jobs }: Picture): Line[] {
  const used = topics.filter(({ quiet }) => !quiet)
  const rows = [...agents.map(agentRow), ...used.map(topicRow), ...jobs.map(jobRow)]
  const widestOf = (texts: readonly string[], most: number) =>
    Math.min(most, Math.max(0, ...texts.map(cells)))
  const nameWidth = widestOf(
    rows.map(({ name }) => name),
    widestName,
  )
  const figuresWidth = widestOf(
    rows.map(({ figures }) => figures),
    widestFigures,
  )
  const lines = rows.map(({ kind, name, figures, more }): Line => {
    const shown = cells(figures) < figuresWidth ? fit(figures, figuresWidth) : figures
    const shownName = span(fit(name, nameWidth), 'bold')
    return [span(`  ${kind.padEnd(6)} `), shownName, span(`  ${shown}  `), span(more, 'dim')]
  })
  const quiet = topicsTotal - used.length
  if (quiet === 0) return lines
  const folded: Line = [span(`  topics ${quiet} quiet ${quiet === 1 ? 'one' : 'ones'}`, 'dim')]
  return lines.toSpliced(agents.length + used.length, 0, folded)
}

function agentRow(agent: AgentPicture): Row {
  const { name, state, silent } = agent
  const more = `${count(agent.linesTotal)} read, channel ${percent(agent.channelFill)} full`
  const rate = silent
    ? `silent for ${duration(agent.ageMs)}`
    : `${count(agent.linesPerSecond)} lines/s`
  return { kind: 'agent', name, figures: state === 'stopped' ? state : rate, more }
}

function topicRow({ name, recordsPerSecond, records }: TopicPicture): Row {
  const figures = `${count(recordsPerSecond)} records/s`
  return { kind: 'topic', name, figures, more: `${count(records)} stored` }
}

function jobRow(job: JobPicture): Row {
  const { name, state, silent, latencyMs, lastBatch, slowBatch, rejected } = job
  const { lostRecords, lateRows } = job
  const counted = `${count(job.recordsTotal)} counted`
  const row = { kind: 'job', name }
  if (state === 'failed') {
    const [reason = ''] = (job.error ?? '').split('\n')
    return { ...row, figures: state, more: `${counted}: ${reason}` }
  }
  if (state === 'stopped') return { ...row, figures: state, more: counted }
  if (silent) return { ...row, figures: `silent for ${duration(job.ageMs)}`, more: counted }
  // Unusual figures come first: a narrow terminal cuts the end of the line.
  const figures = [
    ...(slowBatch ? [slowBatch.text] : []),
    ...(rejected ? [`${count(rejected.total)} rejected`] : []),
    ...(lostRecords > 0 ? [`${count(lostRecords)} lost`] : []),
    ...(lateRows > 0 ? [`${count(lateRows)} late`] : []),
    counted,
    `${duration(job.lagMs)} behind`,
    ...(latencyMs === null ? [] : [`line to result ${duration(latencyMs)}`]),
    ...(lastBatch ? [`batch ${duration(lastBatch.processingTimeMs)}`] : []),
  ]
  return { ...row, figures: `${count(job.recordsPerSecond)} records/s`, more: figures.join(', ') }
}

/** Terms that are 0 are left out, except those that users look for. */
function ledgerLine(ledger: LedgerPicture, isOnly: boolean): Line {
  const { job, read, elsewhere, onTheWay, before, counted, waiting } = ledger
  const term = (value: number, name: string) => (value === 0 ? '' : ` + ${count(value)} ${name}`)
  const input = `${count(read)} read${term(elsewhere, 'from elsewhere')}`
  const output = `${count(counted)} counted + ${count(waiting)} waiting`
  const rest = `${term(onTheWay, 'on the way')}${term(before, 'before')}`
  return [span('  ledger '), span(`${isOnly ? '' : `${job}: `}${input} = ${output}${rest}`)]
}

function viewLines(view: ViewStatus, columns: number, total: number): Line[] {
  const largest = Math.max(1, ...view.rows.map(([, value]) => value))
  const labels = view.rows.map(([key]) => view.labels?.[key] ?? (key === '' ? 'not given' : key))
  const widest = Number.isFinite(columns) ? widestLabel : Number.POSITIVE_INFINITY
  const labelWidth = Math.min(widest, Math.max(8, ...labels.map(cells)))
  const counts = view.rows.map(([, value]) => count(value))
  const countWidth = Math.max(7, ...counts.map(({ length }) => length))
  const besidesBar = 4 + labelWidth + 2 + countWidth + 8
  const barWidth = Math.min(widestBar, columns - besidesBar)
  return [
    [span('  '), span(view.title, 'bold'), span(`: ${count(total)}`)],
    ...view.rows.map(([, value], at): Line => {
      const share = ((100 * value) / Math.max(1, total)).toFixed(1)
      const figures = `${counts[at]!.padStart(countWidth)} ${share.padStart(5)} %`
      const bar = barWidth < narrowestBar ? '' : `${barOf(value / largest, barWidth)} `
      return [span(`    ${fit(labels[at]!, labelWidth)} ${bar}${figures}`)]
    }),
  ]
}

function barOf(part: number, width: number): string {
  return '█'.repeat(Math.max(0, Math.round(width * part))).padEnd(width, '·')
}
