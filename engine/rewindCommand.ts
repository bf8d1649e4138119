// `millrace job rewind`: takes a job that does not run back to an earlier point of its topics.

import { resolve } from 'node:path'
import { isRetriableFailure } from '../protocol/client/clientError.ts'
import { Cluster } from '../protocol/client/cluster.ts'
import type { Disk } from '../protocol/runtime/disk.ts'
import { nodeDisk } from '../protocol/runtime/nodeDisk.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { tcpNetwork } from '../protocol/runtime/tcpNetwork.ts'
import { parseBootstrap } from './addresses.ts'
import { EngineError } from './engineError.ts'
import { everywhere, type PositionRequest, positionsOf } from './savepoint/positions.ts'
import { type ResolvedTarget, rewindJob } from './savepoint/rewind.ts'
import type { RewindPlan, RewindTarget } from './savepoint/rewindPlan.ts'
import type { OffsetRange } from './sources/scan.ts'
import { StateTransfer } from './state/stateTransfer.ts'

/** The options as the command line gives them. */
export interface RewindArguments {
  readonly directory: string
  /** Brokers of the topics; asked for --to-offsets alone. */
  readonly bootstrap: string
  readonly toBatch?: number
  readonly toTime?: string
  readonly toOffsets?: string
  readonly resetState?: true
  readonly keepState?: true
}

export async function rewindCommand(args: RewindArguments): Promise<void> {
  const parsed = parseTarget(args)
  const target = parsed.kind === 'places' ? placesAt(args.bootstrap, parsed.places) : parsed
  const directory = resolve(args.directory)
  const { resetState = false, keepState = false } = args
  const states = storedStates(nodeDisk)
  const plan = await rewindJob({
    ...{ disk: nodeDisk, directory, target, states, resetState, keepState },
  })
  process.stdout.write(`job in ${args.directory}: ${describePlan(plan)}\n`)
}

/** The places as offsets of the topics as they are now, of which the brokers know. */
function placesAt(bootstrap: string, places: readonly Place[]): ResolvedTarget {
  return {
    kind: 'resolved',
    async resolve(ranges) {
      const cluster = new Cluster(nodeRuntime(tcpNetwork), {
        ...{ bootstrap: parseBootstrap(bootstrap), clientId: 'millrace-job' },
        ...{ allowAutoTopicCreation: false, requestTimeoutMs: 5_000 },
      })
      try {
        return await positionsOf(cluster, requestsOf(places, ranges), ranges[0]?.isolation)
      } catch (error) {
        if (!isRetriableFailure(error)) throw error
        throw new EngineError(
          'JOB_UNREACHABLE',
          `cannot rewind: the topics cannot be read from ${bootstrap}: ${(error as Error).message}`,
          error,
        )
      } finally {
        await cluster.close()
      }
    },
  }
}

/** Throws JOB_OPTION_INVALID for a topic that the job does not read. */
export function requestsOf(
  places: readonly Place[],
  ranges: readonly OffsetRange[],
): PositionRequest[] {
  const topics = new Set(ranges.map(({ topic }) => topic))
  return places.flatMap((place): PositionRequest[] => {
    const { topic, at } = place
    if (topic === undefined) return everywhere(ranges, at)
    if (topics.has(topic)) return [{ ...place, topic }]
    const read = [...topics].join(', ')
    throw wrong(`cannot rewind: the job does not read a topic '${topic}'; it reads ${read}`)
  })
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

/** A place in topics, as --to-offsets names it. */
export interface Place {
  /** All that the job reads, unless given. */
  readonly topic?: string | undefined
  /** All of the topic, unless given. */
  readonly partition?: number | undefined
  readonly at: PositionRequest['at']
}

export type ParsedTarget =
  | Exclude<RewindTarget, { kind: 'offsets' }>
  | { readonly kind: 'places'; readonly places: readonly Place[] }

type TargetArguments = Pick<RewindArguments, 'toBatch' | 'toTime' | 'toOffsets'>

/** Throws JOB_OPTION_INVALID. */
export function parseTarget({ toBatch, toTime, toOffsets }: TargetArguments): ParsedTarget {
  const given = [toBatch, toTime, toOffsets].filter((value) => value !== undefined)
  if (given.length !== 1) throw wrong('give one of --to-batch, --to-time and --to-offsets')
  if (toBatch !== undefined) return { kind: 'batch', batchId: toBatch }
  if (toTime !== undefined) return { kind: 'time', timeMs: parseTime(toTime) }
  return { kind: 'places', places: parsePlaces(toOffsets!) }
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

function parsePlaces(text: string): Place[] {
  const places = text.split(',').map((entry) => parsePlace(entry.trim()))
  const names = new Set(places.map(({ topic, partition }) => `${topic}:${partition}`))
  if (names.size === places.length) return places
  throw wrong('--to-offsets names a partition twice')
}

/** `topic:0=5`, `topic:0=earliest`, `topic=latest`, `earliest` */
function parsePlace(entry: string): Place {
  const [, topic, partition, offset] =
    /^(?:([^:=,]+)(?::(\d+))?=)?(\d+|earliest|latest)$/.exec(entry) ?? []
  const isWord = offset === 'earliest' || offset === 'latest'
  const at = isWord ? offset : Number(offset)
  // An offset of all partitions would be a mistake: each counts its own.
  if (!isWord && (partition === undefined || !Number.isSafeInteger(at))) {
    throw wrong(
      `'${entry}' is no offset of a partition: give topic:partition=offset,..., where an offset is a number, ` +
        'earliest or latest; topic=earliest for all of its partitions; or earliest alone, for all topics',
    )
  }
  if (topic === undefined) return { at }
  return { topic, ...(partition !== undefined && { partition: Number(partition) }), at }
}

function wrong(message: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', message)
}
