// Translates the offsets and times of a request into offset ranges by partition.

import { Type } from 'typebox'
import type { Admin } from '../../../../../protocol/client/admin.ts'
import { OffsetSpec } from '../../../../../protocol/client/admin.ts'
import type { Isolation } from '../../../../../protocol/client/consumer/isolation.ts'
import { kafkaFailure } from '../../failures.ts'
import { RestError } from '../../restError.ts'

/** An ISO 8601 time, or ms since the epoch. */
export const timeText = Type.String({
  pattern:
    '^(?:\\d{1,15}|\\d{4}-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d{1,9})?)?(?:Z|[+-]\\d{2}:\\d{2}))?)$',
  description: 'An ISO 8601 time with time zone (`2026-11-30T08:00:00Z`), or ms since the epoch.',
  examples: ['2026-11-30T08:00:00Z'],
})

/** Throws a RestError for an invalid time. */
export function timeMsOf(text: string): number {
  const timeMs = /^\d+$/.test(text) && text.length !== 4 ? Number(text) : Date.parse(text)
  if (Number.isSafeInteger(timeMs) && timeMs >= 0) return timeMs
  throw new RestError(
    40002,
    'INVALID_TIME',
    `${text} is not a valid time`,
    'give a time such as 2026-11-30T08:00:00Z, or ms since the epoch',
  )
}

export const isolationQuery = Type.Optional(
  Type.Enum(['read_uncommitted', 'read_committed'], {
    default: 'read_uncommitted',
    description: '`read_committed` leaves out records of open and aborted transactions.',
  }),
)

export function isolationOf(text: 'read_uncommitted' | 'read_committed' | undefined): Isolation {
  return text === 'read_committed' ? 'committed' : 'uncommitted'
}

/** Offsets from `low` up to `high`, exclusive. */
export interface OffsetRange {
  readonly partition: number
  readonly low: number
  readonly high: number
}

export interface LogRange extends OffsetRange {
  readonly logStartOffset: number
  readonly endOffset: number
}

/** Returns the requested partitions; fails for partitions that do not exist. */
export async function partitionsOf(
  admin: Admin,
  topic: string,
  wanted: readonly number[] | undefined,
): Promise<number[]> {
  const [description] = await admin.describeTopics([topic])
  const all = (description?.partitions ?? []).map(({ partition }) => partition)
  if (wanted === undefined) return all
  const unknown = wanted.find((partition) => !all.includes(partition))
  if (unknown === undefined) return [...new Set(wanted)].sort((one, other) => one - other)
  throw new RestError(
    40403,
    'UNKNOWN_TOPIC_OR_PARTITION',
    `topic ${topic} has no partition ${unknown}`,
    `the topic has ${all.length} partitions, numbered from 0`,
  )
}

/** Returns the ranges to read: everything, or everything from an offset or a time. */
export async function logRanges(
  admin: Admin,
  topic: string,
  partitions: readonly number[],
  from: { readonly offset?: number; readonly timeMs?: number },
  isolation: Isolation,
): Promise<LogRange[]> {
  const at = (spec: number) => offsetsAt(admin, topic, partitions, spec, isolation)
  const [starts, ends, times] = await Promise.all([
    at(OffsetSpec.earliest),
    at(OffsetSpec.latest),
    from.timeMs === undefined ? undefined : at(from.timeMs),
  ])
  return partitions.map((partition, index) => {
    const [logStartOffset, endOffset] = [starts[index]!, ends[index]!]
    const ofTime = times?.[index]
    const wanted = ofTime === undefined ? (from.offset ?? 0) : ofTime < 0 ? endOffset : ofTime
    const low = Math.min(Math.max(wanted, logStartOffset), endOffset)
    return { partition, low, high: endOffset, logStartOffset, endOffset }
  })
}

export async function offsetsAt(
  admin: Admin,
  topic: string,
  partitions: readonly number[],
  at: number,
  isolation: Isolation = 'uncommitted',
): Promise<number[]> {
  const questions = partitions.map((partition) => ({ topic, partition, at }))
  const found = await admin.findOffsets(questions, isolation)
  return found.map(({ errorCode, errorMessage, partition, offset }) => {
    if (errorCode !== 0) throw kafkaFailure(errorCode, errorMessage ?? `${topic}-${partition}`)
    return offset
  })
}
