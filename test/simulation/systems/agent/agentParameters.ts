// What a plan says of the system `agent`: the agent's configuration, the broker's, and what is done
// to the log files. Small capacities, log files and intervals, so that what is rare in production
// (a full channel, a rolled log file, an idle file) happens all the time.

import type { BrokerConfig } from '../../../../broker/configuration/brokerOptions.ts'
import type { Random } from '../../../../protocol/runtime/random.ts'
import { between, chance, oneOf, whole } from '../../plan/swarm.ts'
import { brokerPort } from '../broker/brokerProgram.ts'
import { brokerHost } from '../scene/scene.ts'
import { drawSceneBroker } from '../scene/sceneBroker.ts'
import type { RefusedTimes } from './refusedTimes.ts'

export const agentHost = 'agent-1'
export const logDirectory = '/logs'

/** How long the broker is out of reach before the disk of the channels is full. */
export const cutMs = 600

export type ChannelType = 'file' | 'memory'

/** What a program that writes logs does, and what log rotation does. */
export type WriterStep = {
  readonly atMs: number
  readonly file: 'app' | 'web' | 'job'
} & (
  | {
      readonly kind: 'append'
      readonly lines: number
      /** The last line is cut there, and its rest follows later. */
      readonly cut?: { readonly share: number; readonly restAfterMs: number }
    }
  /** By a new name, which matches the file group or not. */
  | { readonly kind: 'rename'; readonly matches: boolean }
  /** Copied in two writes, then truncated. */
  | {
      readonly kind: 'copyTruncate'
      readonly matches: boolean
      readonly copyMs: number
      readonly truncateMs: number
    }
  /** To nothing, or to the first lines. */
  | { readonly kind: 'truncate'; readonly keeps: number }
  | { readonly kind: 'remove' }
)

export interface AgentParameters {
  readonly channels: readonly ChannelType[]
  /** Whether an interceptor changes the lines and a selector divides them among the channels. */
  readonly isDivided: boolean
  /** Sinks of each channel. */
  readonly sinks: number
  readonly partitions: number
  /** Keys of the source, of every channel and of every sink. */
  readonly source: Readonly<Record<string, number>>
  readonly channel: Readonly<Record<string, number>>
  readonly fileChannel: Readonly<Record<string, number>>
  readonly sink: Readonly<Record<string, number>>
  readonly broker: Partial<BrokerConfig>
  /** Whether whoever writes the files syncs each write and each change of a name. */
  readonly syncsLogs: boolean
  readonly steps: readonly WriterStep[]
  /** When the broker refuses records for their timestamps; never if absent. */
  readonly refusedTimes?: RefusedTimes
  /** Whether the disk of the channels is full for a while after everything else is repaired. */
  readonly fillsDisk?: boolean
}

const channelKinds: readonly (readonly ChannelType[])[] = [
  ['file'],
  ['file'],
  ['memory'],
  ['file', 'memory'],
  ['file', 'file'],
]

export function drawAgentParameters(random: Random, safetyMs: number): AgentParameters {
  const channels = oneOf(random, channelKinds)
  const capacity = oneOf(random, [10, 40, 200])
  const isDivided = chance(random, 0.3)
  const sinks = chance(random, 0.15) ? 2 : 1
  const partitions = oneOf(random, [1, 1, 3])
  const source = {
    batchSize: Math.min(capacity, oneOf(random, [1, 3, 20])),
    maxBatchCount: oneOf(random, [1, 3, 1000]),
    idleTimeout: oneOf(random, [200, 1000, 120_000]),
    writePosInterval: oneOf(random, [50, 500, 3000]),
    pollInterval: oneOf(random, [20, 100]),
    backoffSleepIncrement: oneOf(random, [10, 50]),
    maxBackoffSleep: oneOf(random, [50, 300]),
  }
  return {
    channels,
    isDivided,
    sinks,
    partitions,
    source,
    channel: {
      capacity,
      transactionCapacity: capacity,
      'keep-alive': oneOf(random, [0, 0, 1]),
    },
    fileChannel: {
      maxFileSize: oneOf(random, [1024, 4096, 100_000]),
      minimumRequiredSpace: oneOf(random, [0, 1]),
      cacheBytes: oneOf(random, [0, 1_000_000]),
    },
    sink: {
      flumeBatchSize: Math.min(capacity, oneOf(random, [1, 4, 30])),
      'kafka.producer.max.in.flight.requests.per.connection': whole(random, 1, 5),
      'kafka.producer.request.timeout.ms': oneOf(random, [200, 1000, 5000]),
      'kafka.producer.retry.backoff.ms': 20,
      'kafka.producer.retry.backoff.max.ms': 200,
      'kafka.producer.linger.ms': oneOf(random, [0, 0, 20]),
      'kafka.producer.batch.size': oneOf(random, [200, 16_384]),
    },
    broker: drawSceneBroker(random.fork('broker')),
    syncsLogs: chance(random, 0.8),
    steps: [
      ...drawSteps(random.fork('steps'), safetyMs, !isDivided),
      ...drawJob(random.fork('job'), source.idleTimeout, safetyMs),
    ],
    ...drawRefusedTimes(random.fork('refused times'), safetyMs),
  }
}

/** In one seed of eight. */
function drawRefusedTimes(random: Random, safetyMs: number): { refusedTimes?: RefusedTimes } {
  if (!chance(random, 0.125)) return {}
  const atMs = Math.round(between(random, 0, safetyMs))
  return { refusedTimes: { atMs, forMs: oneOf(random, [20, 100, 500, 1500]) } }
}

/** Mostly appends; each kind of rotation is on in some seeds only. */
function drawSteps(random: Random, safetyMs: number, mayCut: boolean): WriterStep[] {
  const weights: Readonly<Record<WriterStep['kind'], number>> = {
    append: 20,
    rename: chance(random, 0.4) ? 3 : 0,
    copyTruncate: chance(random, 0.4) ? 2 : 0,
    truncate: chance(random, 0.3) ? 2 : 0,
    remove: chance(random, 0.3) ? 2 : 0,
  }
  const cuts = mayCut && chance(random, 0.5)
  const meanMs = oneOf(random, [20, 60, 200])
  const steps: WriterStep[] = []
  for (let atMs = 0; atMs < safetyMs && steps.length < 60; atMs += between(random, 0, 2 * meanMs)) {
    const at = { atMs: Math.round(atMs), file: chance(random, 0.7) ? 'app' : 'web' } as const
    const own = random.fork(`step ${steps.length}`)
    steps.push({ ...at, ...drawStep(own, kindOf(own, weights), cuts) } as WriterStep)
  }
  return steps
}

/** A file that is idle, grows once more, and is renamed at once: in one seed of five. */
function drawJob(random: Random, idleMs: number, safetyMs: number): WriterStep[] {
  const at = Math.round(between(random, 0, safetyMs / 3))
  const grownMs = at + idleMs + whole(random, 100, 600)
  const renamedMs = grownMs + whole(random, 0, 20)
  const lines = whole(random, 1, 4)
  if (!chance(random, 0.2) || renamedMs >= safetyMs) return []
  return [
    { atMs: at, file: 'job', kind: 'append', lines },
    { atMs: grownMs, file: 'job', kind: 'append', lines },
    { atMs: renamedMs, file: 'job', kind: 'rename', matches: false },
  ]
}

function kindOf(
  random: Random,
  weights: Readonly<Record<WriterStep['kind'], number>>,
): WriterStep['kind'] {
  const kinds = Object.entries(weights) as [WriterStep['kind'], number][]
  let left = random.below(kinds.reduce((sum, [, weight]) => sum + weight, 0))
  for (const [kind, weight] of kinds) {
    left -= weight
    if (left < 0) return kind
  }
  return 'append'
}

function drawStep(random: Random, kind: WriterStep['kind'], cuts: boolean) {
  switch (kind) {
    case 'append': {
      const lines = whole(random, 1, oneOf(random, [1, 4, 16]))
      if (!cuts || chance(random, 0.7)) return { kind, lines }
      const cut = { share: random.float(), restAfterMs: oneOf(random, [0, 30, 300, 1500]) }
      return { kind, lines, cut }
    }
    case 'rename':
      return { kind, matches: chance(random, 0.7) }
    case 'copyTruncate': {
      const copyMs = oneOf(random, [0, 20, 200])
      return { kind, matches: chance(random, 0.6), copyMs, truncateMs: oneOf(random, [0, 10, 300]) }
    }
    case 'truncate':
      return { kind, keeps: chance(random, 0.3) ? random.float() : 0 }
    case 'remove':
      return { kind }
  }
}

/** Parameters of a run whose channels have events when their disk is full; seldom defined. */
export function drawFullDisk(
  random: Random,
  parameters: AgentParameters,
  safetyMs: number,
): AgentParameters | undefined {
  if (!parameters.channels.includes('file') || !chance(random, 0.12)) return undefined
  const capacity = parameters.channel.capacity!
  const steps = Array.from({ length: 4 }, (_, at): WriterStep => {
    const atMs = safetyMs - cutMs + 100 * (at + 1)
    return { atMs, file: 'app', kind: 'append', lines: whole(random, 1, 6) }
  })
  return {
    ...parameters,
    fillsDisk: true,
    sink: { ...parameters.sink, flumeBatchSize: Math.min(capacity, 30) },
    steps: [...parameters.steps, ...steps],
  }
}

export function topicOf(channel: number): string {
  return `lines-${channel}`
}

/** The agent's flume.conf. */
export function flumeConfiguration(parameters: AgentParameters): string {
  const { channels, isDivided, sinks } = parameters
  const names = channels.map((_, channel) => `c${channel}`)
  const sinkNames = names.flatMap((name) => Array.from({ length: sinks }, (_, n) => `${name}k${n}`))
  const keys: Record<string, string | number> = {
    sources: 'r1',
    channels: names.join(' '),
    sinks: sinkNames.join(' '),
    ...below('sources.r1', {
      type: 'TAILDIR',
      channels: names.join(' '),
      filegroups: 'f1',
      'filegroups.f1': `${logDirectory}/.*\\\\.log`,
      positionFile: '/flume/positions.json',
      ...(isDivided && {
        interceptors: 'i1',
        'interceptors.i1.type': 'changing',
        'selector.type': 'dividing',
      }),
      ...parameters.source,
    }),
  }
  for (const [channel, type] of channels.entries()) {
    const name = names[channel]!
    const directories = {
      checkpointDir: `/flume/${name}/checkpoint`,
      dataDirs: `/flume/${name}/data`,
    }
    const own = type === 'file' ? { ...directories, ...parameters.fileChannel } : {}
    Object.assign(keys, below(`channels.${name}`, { type, ...parameters.channel, ...own }))
    for (let sink = 0; sink < sinks; sink++) {
      const settings = {
        type: 'org.apache.flume.sink.kafka.KafkaSink',
        channel: name,
        'kafka.bootstrap.servers': `${brokerHost}:${brokerPort}`,
        'kafka.topic': topicOf(channel),
        ...parameters.sink,
      }
      Object.assign(keys, below(`sinks.${name}k${sink}`, settings))
    }
  }
  return Object.entries(keys)
    .map(([key, value]) => `a1.${key} = ${value}\n`)
    .join('')
}

function below(prefix: string, keys: Readonly<Record<string, string | number>>) {
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [`${prefix}.${key}`, value]))
}
