// `millrace job rewind`: takes a job that does not run back to an earlier point of its topics.

import { resolve } from 'node:path'
import { EngineError } from './engineError.ts'

/** Where the job is to read on. */
export type RewindTarget =
  /** As after this batch, whose state and offsets are still kept. */
  | { readonly kind: 'batch'; readonly batchId: number }
  /** At the first records at or after this time, in ms since the epoch. */
  | { readonly kind: 'time'; readonly timeMs: number }
  /** At these offsets; partitions that are not named stay where they are. */
  | { readonly kind: 'offsets'; readonly offsets: readonly RewindOffset[] }

export interface RewindOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export interface RewindRequest {
  readonly directory: string
  readonly bootstrap: string
  readonly target: RewindTarget
  /** What becomes of the state; undefined where the target alone decides. */
  readonly state: 'reset' | 'keep' | undefined
}

/** The options as the command line gives them. */
export interface RewindOptions {
  readonly directory: string
  readonly bootstrap: string
  readonly toBatch?: number
  readonly toTime?: string
  readonly toOffsets?: string
  readonly resetState?: true
  readonly keepState?: true
}

export async function rewindCommand(options: RewindOptions): Promise<void> {
  const request = parseRewind(options)
  const line = await rewind(request)
  process.stdout.write(`${line}\n`)
}

/** Rewinds the job; returns what was done, in one line. */
async function rewind({ directory }: RewindRequest): Promise<string> {
  throw new EngineError(
    'JOB_OPTION_INVALID',
    `cannot rewind the job in ${directory}: rewinding is not supported yet`,
  )
}

/** Throws JOB_OPTION_INVALID. */
export function parseRewind(options: RewindOptions): RewindRequest {
  const { directory, bootstrap, resetState, keepState } = options
  if (resetState && keepState) throw wrong('give --reset-state or --keep-state, and not both')
  const target = targetOf(options)
  const state = resetState ? 'reset' : keepState ? 'keep' : undefined
  if (target.kind !== 'batch' && state === undefined) {
    throw wrong(
      'say what becomes of the state: --reset-state counts from these offsets on, --keep-state counts what ' +
        'is read again on top of what was counted',
    )
  }
  return { directory: resolve(directory), bootstrap, target, state }
}

function targetOf({ toBatch, toTime, toOffsets }: RewindOptions): RewindTarget {
  const given = [toBatch, toTime, toOffsets].filter((value) => value !== undefined)
  if (given.length !== 1) throw wrong('give one of --to-batch, --to-time and --to-offsets')
  if (toBatch !== undefined) return { kind: 'batch', batchId: toBatch }
  if (toTime !== undefined) return { kind: 'time', timeMs: parseTime(toTime) }
  return { kind: 'offsets', offsets: parseOffsets(toOffsets!) }
}

/** ISO 8601, in UTC unless it says otherwise; or milliseconds since the epoch. */
function parseTime(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  const isIso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text)
  // A time without a zone would be one of the host, which another host does not share.
  const isZoned = /(Z|[+-]\d{2}:\d{2})$/.test(text) || !text.includes('T')
  const timeMs = isIso ? Date.parse(isZoned ? text : `${text}Z`) : Number.NaN
  if (!Number.isNaN(timeMs)) return timeMs
  throw wrong(`'${text}' is no time: give 2026-01-31T12:00:00Z, or milliseconds since the epoch`)
}

function parseOffsets(text: string): RewindOffset[] {
  const offsets = text.split(',').map((entry): RewindOffset => {
    const [, topic, partition, offset] = /^([^:=,]+):(\d+)=(\d+)$/.exec(entry.trim()) ?? []
    if (topic === undefined || !Number.isSafeInteger(Number(offset))) {
      throw wrong(`'${entry}' is no offset of a partition: give topic:partition=offset,...`)
    }
    return { topic, partition: Number(partition), offset: Number(offset) }
  })
  const partitions = new Set(offsets.map(({ topic, partition }) => `${topic}:${partition}`))
  if (partitions.size === offsets.length) return offsets
  throw wrong('--to-offsets names a partition twice')
}

function wrong(message: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', message)
}
