// `millrace job rewind`: rewinds a stopped job to earlier positions of its topics.

import { resolve } from 'node:path'
import { parseBootstrap } from '../../protocol/client/bootstrap.ts'
import { isRetriableFailure } from '../../protocol/client/clientError.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { nodeDisk } from '../../protocol/runtime/disk/nodeDisk.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { EngineError } from '../engineError.ts'
import { everywhere, type PositionRequest, positionsOf } from '../savepoint/positions.ts'
import { type ResolvedTarget, rewindJob } from '../savepoint/rewind.ts'
import type { RewindPlan, RewindTarget } from '../savepoint/rewindPlan.ts'
import type { OffsetRange } from '../sources/scan.ts'
import { StateTransfer } from '../state/stateTransfer.ts'

/** The options as the command line gives them. */
export interface RewindArguments {
  readonly directory: string
  /** Brokers of the topics; contacted only for --to-offsets. */
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

/** Resolves places to offsets of the current topics, with requests to the brokers. */
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
          `cannot rewind: failed to look up offsets at ${bootstrap}: ${(error as Error).message}`,
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
    throw invalid(`cannot rewind: the job does not read topic '${topic}', only ${read}`)
  })
}

/** Returns access to the states of a stopped job. */
export function storedStates(disk: Disk): StateTransfer {
  return new StateTransfer({ disk })
}

function describePlan(plan: RewindPlan): string {
  if (plan.kind === 'undo') {
    return `rewound to the end of batch ${plan.batchId}; later records are processed again`
  }
  const at = plan.kind === 'reset' ? plan.batches.at(-1) : plan.entry
  const positions = (at?.ranges ?? []).map(({ topic, partition, until }) => {
    return `${topic}-${partition} at ${until}`
  })
  const where =
    positions.length === 0
      ? 'reading starts at the beginning'
      : `reading continues with ${positions.join(', ')}`
  return plan.kind === 'reset' ? `state discarded; ${where}` : `state kept; ${where}`
}

/** One entry of --to-offsets. */
export interface Place {
  /** All topics of the job, unless given. */
  readonly topic?: string | undefined
  /** All partitions of the topic, unless given. */
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
  if (given.length !== 1)
    throw invalid('give exactly one of --to-batch, --to-time and --to-offsets')
  if (toBatch !== undefined) return { kind: 'batch', batchId: toBatch }
  if (toTime !== undefined) return { kind: 'time', timeMs: parseTime(toTime) }
  return { kind: 'places', places: parsePlaces(toOffsets!) }
}

/** Parses ISO 8601, in UTC without a zone, or ms since the epoch. */
function parseTime(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  const isIso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text)
  // Without a zone, Date.parse would use the time zone of the host.
  const isZoned = /(Z|[+-]\d{2}:\d{2})$/.test(text) || !text.includes('T')
  const timeMs = isIso ? Date.parse(isZoned ? text : `${text}Z`) : Number.NaN
  if (!Number.isNaN(timeMs)) return timeMs
  throw invalid(
    `invalid time '${text}': expected ISO 8601, such as 2026-01-31T12:00:00Z, or ms since the epoch`,
  )
}

function parsePlaces(text: string): Place[] {
  const places = text.split(',').map((entry) => parsePlace(entry.trim()))
  const names = new Set(places.map(({ topic, partition }) => `${topic}:${partition}`))
  if (names.size === places.length) return places
  throw invalid('--to-offsets contains a partition twice')
}

/** Parses `topic:0=5`, `topic:0=earliest`, `topic=latest` or `earliest`. */
function parsePlace(entry: string): Place {
  const [, topic, partition, offset] =
    /^(?:([^:=,]+)(?::(\d+))?=)?(\d+|earliest|latest)$/.exec(entry) ?? []
  const isWord = offset === 'earliest' || offset === 'latest'
  const at = isWord ? offset : Number(offset)
  // A number is only meaningful for one partition: each partition has its own offsets.
  if (!isWord && (partition === undefined || !Number.isSafeInteger(at))) {
    throw invalid(
      `invalid offset '${entry}': expected topic:partition=OFFSET, where OFFSET is a number, earliest or ` +
        'latest; topic=earliest or topic=latest for all partitions; or earliest or latest alone for all topics',
    )
  }
  if (topic === undefined) return { at }
  return { topic, ...(partition !== undefined && { partition: Number(partition) }), at }
}

function invalid(message: string): EngineError {
  return new EngineError('JOB_OPTION_INVALID', message)
}
