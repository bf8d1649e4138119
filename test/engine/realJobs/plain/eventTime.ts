// The plain computation of event time: one loop over the lines that each batch has read, in a
// single thread, without the engine. It implements the rules of docs/jobs/event-time.md, and knows
// the ranges of the batches.

import type { TestBatch } from 'millrace/engine/testing'
import type { Arrival, Line } from '../inputs/arrival.ts'
import type { FedTopics } from '../jobRun.ts'

export interface PlainBatch<Row> {
  readonly batchId: number
  /** Undefined before the first event time. */
  readonly watermarkMs: number | undefined
  readonly lines: readonly Line<Row>[]
}

/**
 * Returns batches with their lines and watermarks. `batches` are all batches of the run, including
 * empty ones. No partition is idle in these runs: inputs are spread evenly over the partitions, and
 * a run ends with its input.
 */
export function plainBatches<Row>(
  batches: readonly TestBatch[],
  fed: FedTopics,
  delayMs: number,
): PlainBatch<Row>[] {
  const seen = new Map<string, number>()
  const partitions = [...fed.values()].reduce((sum, logs) => sum + logs.length, 0)
  let watermarkMs: number | undefined
  return batches.map(({ batchId, ranges }) => {
    if (seen.size === partitions) {
      watermarkMs = Math.max(watermarkMs ?? -Infinity, Math.min(...seen.values()) - delayMs)
    }
    const plain = { batchId, watermarkMs, lines: [] as Line<Row>[] }
    for (const { topic, partition, from, until } of ranges) {
      const read = fed.get(topic)?.[partition]?.slice(from, until) ?? []
      for (const arrival of read) {
        if (!isLine(arrival)) continue
        const name = `${topic}-${partition}`
        seen.set(name, Math.max(seen.get(name) ?? -Infinity, arrival.timeMs))
        plain.lines.push(arrival as Line<Row>)
      }
    }
    return plain
  })
}

export function isLine<Row>(arrival: Arrival<Row>): arrival is Line<Row> {
  return !('bad' in arrival)
}

export interface PlainWindow {
  readonly key: string
  readonly startMs: number
  readonly count: number
}

export interface PlainOutcome<Window, Row> {
  /** Windows that the watermark has closed, by start and key. */
  readonly closed: readonly Window[]
  readonly open: readonly Window[]
  readonly late: readonly Line<Row>[]
}

/** Counts by key in tumbling windows; a line without a key is in no window. */
export function plainTumbling<Row>(
  batches: readonly PlainBatch<Row>[],
  sizeMs: number,
  weigh: (row: Row) => { readonly key: string; readonly count: number } | undefined,
): PlainOutcome<PlainWindow, Row> {
  const windows = new Map<string, PlainWindow>()
  const late: Line<Row>[] = []
  let lastMs = -Infinity
  for (const { watermarkMs = -Infinity, lines } of batches) {
    for (const line of lines) {
      const weight = weigh(line.row)
      if (weight === undefined) continue
      const startMs = line.timeMs - (line.timeMs % sizeMs)
      if (startMs + sizeMs <= watermarkMs) {
        late.push(line)
        continue
      }
      const id = `${startMs} ${weight.key}`
      const count = (windows.get(id)?.count ?? 0) + weight.count
      windows.set(id, { key: weight.key, startMs, count })
    }
    lastMs = watermarkMs
  }
  const all = [...windows.values()].sort(byStart)
  return {
    closed: all.filter(({ startMs }) => startMs + sizeMs <= lastMs),
    open: all.filter(({ startMs }) => startMs + sizeMs > lastMs),
    late,
  }
}

/**
 * Counts in tumbling windows without batches, watermarks and lateness: the expected windows when no
 * row is late.
 */
export function wholeTumbling<Row>(
  lines: readonly Line<Row>[],
  sizeMs: number,
  weigh: (row: Row) => { readonly key: string; readonly count: number } | undefined,
): PlainWindow[] {
  const windows = new Map<string, PlainWindow>()
  for (const { timeMs, row } of lines) {
    const weight = weigh(row)
    if (weight === undefined) continue
    const startMs = timeMs - (timeMs % sizeMs)
    const id = `${startMs} ${weight.key}`
    const count = (windows.get(id)?.count ?? 0) + weight.count
    windows.set(id, { key: weight.key, startMs, count })
  }
  return [...windows.values()].sort(byStart)
}

function byStart(
  one: { readonly key: string; readonly startMs: number },
  other: { readonly key: string; readonly startMs: number },
): number {
  if (one.startMs !== other.startMs) return one.startMs - other.startMs
  return one.key < other.key ? -1 : 1
}

export interface PlainSession {
  readonly key: string
  readonly startMs: number
  /** The time of the last line plus the gap. */
  readonly endMs: number
  readonly count: number
}

/**
 * Returns the sessions of all lines: two lines of a key with less than the gap between them are in
 * the same session.
 */
export function wholeSessions<Row>(
  lines: readonly Line<Row>[],
  gapMs: number,
  keyOf: (row: Row) => string,
): PlainSession[] {
  const times = new Map<string, number[]>()
  for (const { timeMs, row } of lines) {
    const key = keyOf(row)
    times.set(key, [...(times.get(key) ?? []), timeMs])
  }
  const sessions: PlainSession[] = []
  for (const [key, ofKey] of times) {
    let session: PlainSession | undefined
    for (const timeMs of ofKey.sort((one, other) => one - other)) {
      if (session === undefined || timeMs >= session.endMs) {
        if (session) sessions.push(session)
        session = { key, startMs: timeMs, endMs: timeMs + gapMs, count: 1 }
      } else {
        session = { ...session, endMs: timeMs + gapMs, count: session.count + 1 }
      }
    }
    sessions.push(session!)
  }
  return sessions.sort(byStart)
}

/**
 * Returns sessions batch by batch: the open sessions and the new rows of a key are merged first;
 * then the rows of a merged session are late if the watermark is at or past its end.
 */
export function plainSessions<Row>(
  batches: readonly PlainBatch<Row>[],
  gapMs: number,
  keyOf: (row: Row) => string,
): PlainOutcome<PlainSession, Row> {
  const open = new Map<string, Line<Row>[][]>()
  const closed: PlainSession[] = []
  const late: Line<Row>[] = []
  const endOf = (session: readonly Line<Row>[]) => session.at(-1)!.timeMs + gapMs
  const summary = (key: string, session: readonly Line<Row>[]): PlainSession => {
    return { key, startMs: session[0]!.timeMs, endMs: endOf(session), count: session.length }
  }
  for (const { watermarkMs = -Infinity, lines } of batches) {
    const arrived = new Map<string, Line<Row>[]>()
    for (const line of lines) {
      const key = keyOf(line.row)
      arrived.set(key, [...(arrived.get(key) ?? []), line])
    }
    for (const [key, fresh] of arrived) {
      const stored = open.get(key) ?? []
      const sessions: Line<Row>[][] = []
      const all = [...stored.flat(), ...fresh]
      for (const line of all.sort((one, other) => one.timeMs - other.timeMs)) {
        const last = sessions.at(-1)
        if (last && line.timeMs < endOf(last)) last.push(line)
        else sessions.push([line])
      }
      const kept = sessions.flatMap((session) => {
        if (endOf(session) > watermarkMs) return [session]
        late.push(...session.filter((line) => fresh.includes(line)))
        return stored.filter(([first]) => session.includes(first!))
      })
      open.set(key, kept)
    }
    for (const [key, sessions] of open) {
      for (const session of sessions) {
        if (endOf(session) <= watermarkMs) closed.push(summary(key, session))
      }
      open.set(
        key,
        sessions.filter((session) => endOf(session) > watermarkMs),
      )
    }
  }
  const left = [...open].flatMap(([key, sessions]) => sessions.map((each) => summary(key, each)))
  return { closed: closed.sort(byStart), open: left.sort(byStart), late }
}
