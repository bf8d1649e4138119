// Formats jobs as text for a terminal. Names and messages come from other programs, so control
// characters are removed.

import { cells, clip, fit } from '../../protocol/commandLine/terminalText.ts'
import { count, duration } from '../../protocol/telemetry/figures.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import { instanceOf } from '../lifecycle/nameClaim.ts'
import type { JobDescription } from '../lifecycle/runningJob.ts'

/**
 * A running job reports every second; a job silent for longer was killed, or is disconnected.
 */
const silentAfterMs = 5_000

export type JobState = JobStatus['state'] | 'silent'

export function stateOf({ state, timeMs }: JobStatus, nowMs: number): JobState {
  return state === 'running' && nowMs - timeMs > silentAfterMs ? 'silent' : state
}

/** A job as printed by `job list --json`. */
export function summary(status: JobStatus, nowMs: number) {
  const { name, id, batches, lagRecords, recordsTotal, host, address, error } = status
  return {
    ...{ name, state: stateOf(status, nowMs), instance: instanceOf(id) },
    /** The newest committed batch; null before the first one of the process. */
    batch: batches.at(-1)?.id ?? null,
    ...{ lagRecords, recordsTotal, sinceMs: sinceOf(status, nowMs), host, address, error },
  }
}

/** When the job entered its state. */
function sinceOf(status: JobStatus, nowMs: number): number {
  const { timeMs, startedMs = timeMs } = status
  return stateOf(status, nowMs) === 'running' ? startedMs : timeMs
}

const narrowestName = 8
const gap = '  '

/** Returns a table at most `columns` cells wide; the name is shortened to fit. */
export function jobTable(statuses: readonly JobStatus[], nowMs: number, columns: number): string[] {
  const rows = statuses.map((status) => rowOf(status, nowMs))
  const head = ['NAME', 'STATE', 'INSTANCE', 'BATCH', 'LAG', 'TOTAL', 'SINCE']
  const all = [head, ...rows]
  const widths = head.map((_, at) => Math.max(...all.map((row) => cells(row[at]!))))
  const others = widths.slice(1).reduce((sum, width) => sum + width + gap.length, 0)
  widths[0] = Math.max(narrowestName, Math.min(widths[0]!, columns - others))
  return all.map((row) => {
    const line = row.map((cell, at) => {
      const width = widths[at]!
      return at < 3 ? fit(cell, width) : ' '.repeat(Math.max(0, width - cells(cell))) + cell
    })
    return clip(line.join(gap).trimEnd(), columns)
  })
}

function rowOf(status: JobStatus, nowMs: number): string[] {
  const { name, state, instance, batch, lagRecords, recordsTotal, sinceMs } = summary(status, nowMs)
  const since = duration(Math.max(0, nowMs - sinceMs))
  return [
    name,
    state,
    instance,
    String(batch ?? '–'),
    count(lagRecords),
    count(recordsTotal),
    since,
  ]
}

/** Returns all that is known of one job, a line each. */
export function describeJob(
  status: JobStatus,
  description: JobDescription | undefined,
  nowMs: number,
): string[] {
  const batch = status.batches.at(-1)
  const { watermarks = {}, rejected, lostRecords = 0, lateRows = 0, error } = status
  const lines: [string, string][] = [
    ...(description ? [['directory', description.directory] as [string, string]] : []),
    ...(status.code === undefined ? [] : [['code', status.code] as [string, string]]),
    ['counted', `${count(status.recordsTotal)} records, ${count(status.lagRecords)} waiting`],
    ['batches', `one every ${duration(status.batchIntervalMs)}`],
    ...(batch ? [['newest', batchText(batch, nowMs)] as [string, string]] : []),
    ['now', status.progress?.text ?? status.waiting ?? 'no batch is running'],
    ...(status.positions ?? []).map(({ topic, partition, until }): [string, string] => {
      return ['position', `${topic}-${partition} at ${count(until)}`]
    }),
    ...operatorsOf(status, description).map((text): [string, string] => ['operator', text]),
    ...Object.entries(watermarks).map(([uid, timeMs]): [string, string] => {
      return ['watermark', `${uid} at ${timeText(timeMs)}`]
    }),
    ...(lateRows > 0 ? [['late', `${count(lateRows)} late rows`] as [string, string]] : []),
    ...status.views.map(({ name, rows, batchId }): [string, string] => {
      return ['view', `${name}, ${rows.length} rows of batch ${batchId}`]
    }),
    ...(rejected ? [['rejected', rejectedText(rejected)] as [string, string]] : []),
    ...(rejected?.first ?? []).map(
      ({ topic, partition, offset, error: reason }): [string, string] => {
        return ['', `${topic}-${partition} offset ${offset}: ${reason}`]
      },
    ),
    ...(lostRecords > 0
      ? [
          ['lost', `${count(lostRecords)} records removed before they were read`] as [
            string,
            string,
          ],
        ]
      : []),
    ...(error === undefined
      ? []
      : error.split('\n').map((line, at): [string, string] => [at === 0 ? 'error' : '', line])),
  ]
  return [headline(status, nowMs), ...lines.map(([label, text]) => row(label, text))]
}

function row(label: string, text: string): string {
  return `  ${fit(label, 10)}${clip(text, 1_000)}`
}

function headline(status: JobStatus, nowMs: number): string {
  const { name, host, address } = status
  const { state, instance, sinceMs } = summary(status, nowMs)
  const since = duration(Math.max(0, nowMs - sinceMs))
  const when = state === 'running' || state === 'silent' ? `for ${since}` : `${since} ago`
  const where = host === undefined ? '' : ` on host ${host}`
  const at = address === undefined ? '' : ` at ${address}`
  return clip(`job ${name}, instance ${instance}: ${state} ${when}${where}${at}`, 1_000)
}

function batchText(batch: JobStatus['batches'][number], nowMs: number): string {
  const { id, records, schedulingDelayMs, processingTimeMs, timeMs } = batch
  return (
    `batch ${id}, ${duration(Math.max(0, nowMs - timeMs))} ago: ${count(records)} records, ` +
    `waited ${duration(schedulingDelayMs)}, took ${duration(processingTimeMs)}`
  )
}

function operatorsOf(status: JobStatus, description: JobDescription | undefined): string[] {
  const operators = description?.operators ?? status.operators ?? []
  return operators.map(({ uid, kind, codec, partitions }) => {
    const parts = `${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`
    return `${uid}: ${kind}, codec ${codec}, ${parts}`
  })
}

function rejectedText({ total, topics }: NonNullable<JobStatus['rejected']>): string {
  const each = topics.map(({ topic, records }) => `${topic} ${count(records)}`).join(', ')
  return `${count(total)} records since the start (${each}); the first ones:`
}

/** A watermark can be any number that the job's times yield. */
function timeText(timeMs: number): string {
  const date = new Date(timeMs)
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString()
}
