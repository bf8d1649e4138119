// `millrace job rewind`: takes a job that does not run back to an earlier point of its topics.

import { resolve } from 'node:path'
import type { Disk } from '../protocol/runtime/disk.ts'
import { nodeDisk } from '../protocol/runtime/nodeDisk.ts'
import { EngineError } from './engineError.ts'
import { rewindJob } from './savepoint/rewind.ts'
import type { Position, RewindPlan, RewindTarget } from './savepoint/rewindPlan.ts'
import { StateTransfer } from './state/stateTransfer.ts'

/** The options as the command line gives them. */
export interface RewindArguments {
  readonly directory: string
  readonly toBatch?: number
  readonly toTime?: string
  readonly toOffsets?: string
  readonly resetState?: true
  readonly keepState?: true
}

export async function rewindCommand(args: RewindArguments): Promise<void> {
  const target = parseTarget(args)
  const directory = resolve(args.directory)
  const { resetState = false, keepState = false } = args
  const states = storedStates(nodeDisk)
  const plan = await rewindJob({
    ...{ disk: nodeDisk, directory, target, states, resetState, keepState },
  })
  process.stdout.write(`job in ${args.directory}: ${describePlan(plan)}\n`)
}

/** The states of a job that does not run. */
export function storedStates(disk: Disk): StateTransfer {
  return new StateTransfer({ disk })
}

function describePlan(plan: RewindPlan): string {
  if (plan.kind === 'undo') {
    return `back to where it was after batch ${plan.batchId}; what came after is counted again`
  }
  const at = plan.kind === 'reset' ? plan.batches.at(-1) : plan.entry
  const positions = (at?.ranges ?? []).map(({ topic, partition, until }) => {
    return `${topic}-${partition} at ${until}`
  })
  const where =
    positions.length === 0 ? 'reads from the beginning' : `reads on ${positions.join(', ')}`
  return plan.kind === 'reset' ? `state emptied; ${where}` : `state kept as it is; ${where}`
}

/** Throws JOB_OPTION_INVALID. */
export function parseTarget({ toBatch, toTime, toOffsets }: RewindArguments): RewindTarget {
  const given = [toBatch, toTime, toOffsets].filter((value) => value !== undefined)
  if (given.length !== 1) throw wrong('give one of --to-batch, --to-time and --to-offsets')
  if (toBatch !== undefined) return { kind: 'batch', batchId: toBatch }
  if (toTime !== undefined) return { kind: 'time', timeMs: parseTime(toTime) }
  return { kind: 'offsets', positions: parseOffsets(toOffsets!) }
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

function parseOffsets(text: string): Position[] {
  const positions = text.split(',').map((entry): Position => {
    const [, topic, partition, offset] = /^([^:=,]+):(\d+)=(\d+)$/.exec(entry.trim()) ?? []
    if (topic === undefined || !Number.isSafeInteger(Number(offset))) {
      throw wrong(`'${entry}' is no offset of a partition: give topic:partition=offset,...`)
    }
    return { topic, partition: Number(partition), offset: Number(offset) }
  })
  const partitions = new Set(positions.map(({ topic, partition }) => `${topic}:${partition}`))
  if (partitions.size === positions.length) return positions
  throw wrong('--to-offsets names a partition twice')
}

function wrong(message: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', message)
}
