// What programs tell one another about themselves, as records of one topic: the key is the id, the
// newest value counts. Read from the wire, so a value is checked in size and shape before it is used.
// It carries figures, never what flowed: the console shows it to whoever may see the page.

import { type Static, type TSchema, Type } from 'typebox'
import { Check, Errors } from 'typebox/value'
import { statusTopic } from './statusTopicName.ts'

/** No status is longer; a longer value is refused before it is parsed. */
export const maxStatusBytes = 512 * 1024
/** Batches that a job's status shows, newest last. */
export const maxStatusBatches = 60
/** Tasks of the batch that runs, the oldest first. */
export const maxRunningTasks = 64
/** Topics, operators and watermarks of one job that its status names. */
export const maxNamed = 256
/** Of the records that a job has rejected, the first ones are shown. */
export const maxRejectedShown = 10
/** Rows of one view: a status is for looking at, results go to a topic. */
export const maxViewRows = 1000

const text = Type.String({ maxLength: 1024 })
/** Counts, milliseconds and offsets: all are safe integers, none is negative. */
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** A duration or a value that a job computed. */
const figure = Type.Number()

const list = <Item extends TSchema>(item: Item, maxItems: number) => Type.Array(item, { maxItems })

const maxComponents = 256

const agentStatus = Type.Object({
  kind: Type.Literal('agent'),
  /** `agent/<host>/<name>` */
  id: text,
  timeMs: count,
  name: text,
  host: text,
  /** Absent means running. `stopped` is the last status of an agent that was stopped in order. */
  state: Type.Optional(Type.Union([Type.Literal('running'), Type.Literal('stopped')])),
  sources: list(
    Type.Object({ name: text, type: text, eventsReceived: count, eventsAccepted: count }),
    maxComponents,
  ),
  channels: list(
    Type.Object({ name: text, type: text, size: count, capacity: count }),
    maxComponents,
  ),
  sinks: list(
    Type.Object({ name: text, type: text, eventsDrained: count, topic: Type.Optional(text) }),
    maxComponents,
  ),
  bytesRead: count,
})

const batchStatus = Type.Object({
  id: count,
  /** The nominal time of the batch. */
  timeMs: count,
  records: count,
  schedulingDelayMs: figure,
  processingTimeMs: figure,
  totalDelayMs: figure,
  /** Time of the result, less the oldest record timestamp in the batch; absent without a timestamp. */
  latencyMs: Type.Optional(figure),
})

const viewStatus = Type.Object({
  name: text,
  title: text,
  chart: Type.Union([Type.Literal('bar'), Type.Literal('share')]),
  /** The batch that the rows are of, and what it read: the way from a number to its lines. */
  batchId: Type.Integer({ minimum: -1, maximum: Number.MAX_SAFE_INTEGER }),
  offsets: list(Type.Object({ topic: text, partition: count, from: count, until: count }), 4096),
  rows: list(Type.Tuple([text, figure]), maxViewRows),
  /** What to call a key of the rows; a key without one is called by its own name. */
  labels: Type.Optional(Type.Record(Type.String({ maxLength: 256 }), text)),
})

/** What a job is doing now: a batch that takes long shows in it, a batch that hangs does, too. */
const runningBatch = Type.Object({
  batchId: count,
  sinceMs: count,
  tasks: list(
    Type.Object({
      stage: text,
      operator: text,
      partition: count,
      executor: count,
      /** 1 for the first. */
      attempt: count,
      sinceMs: count,
    }),
    maxRunningTasks,
  ),
})

/** How far the batch that runs is. The text is for people: `batch 17 for 60 s, partition 3 of stage 2`. */
const batchProgress = Type.Object({
  text,
  batchId: count,
  sinceMs: count,
  /** Of the stages that are known so far; absent when the engine does not say. */
  tasksDone: Type.Optional(count),
  tasksTotal: Type.Optional(count),
})

/** Records that were left out of the job's results, since the process started. */
const rejectedRecords = Type.Object({
  total: count,
  topics: list(Type.Object({ topic: text, records: count }), maxNamed),
  /** The first ones: where they are and what failed, without data of the record. */
  first: list(
    Type.Object({ topic: text, partition: count, offset: count, error: text }),
    maxRejectedShown,
  ),
})

const jobStatus = Type.Object({
  kind: Type.Literal('job'),
  /** `job/<name>/<instance>`: copies of a job in directories of their own have their own instances. */
  id: text,
  name: text,
  timeMs: count,
  state: Type.Union([Type.Literal('running'), Type.Literal('stopped'), Type.Literal('failed')]),
  topics: list(text, 256),
  batchIntervalMs: count,
  lagRecords: count,
  recordsTotal: count,
  /** Next offset to be counted, of each partition of the topics. */
  positions: Type.Optional(
    list(Type.Object({ topic: text, partition: count, until: count }), 4096),
  ),
  batches: list(batchStatus, maxStatusBatches),
  views: list(viewStatus, 64),
  /** Only while a batch runs. */
  running: Type.Optional(runningBatch),
  progress: Type.Optional(batchProgress),
  /** Why no batch can be planned: `the topics cannot be read: ...`. */
  waiting: Type.Optional(text),
  /** What fails and is tried again: `batch 7: foreachRDD failed: ...`. */
  failing: Type.Optional(text),
  /** When this process started the job. Of two jobs of one name the later-started ends. */
  startedMs: Type.Optional(count),
  /** Name of the host that runs the job. */
  host: Type.Optional(text),
  /** Where the job itself answers: `http://127.0.0.1:41234`. A loopback address is one of `host`. */
  address: Type.Optional(text),
  /** Version of the job's code: the beginning of its hash. */
  code: Type.Optional(text),
  rejected: Type.Optional(rejectedRecords),
  /** Records that were removed from the topics before the job had read them. */
  lostRecords: Type.Optional(count),
  /** Rows that came too late for their windows, since the process started, whether or not the job reads them. */
  lateRows: Type.Optional(count),
  /** Of the newest committed batch, by the uid of the withWatermark, in ms since the epoch. */
  watermarks: Type.Optional(Type.Record(Type.String({ maxLength: 256 }), figure)),
  /** Streams that keep state. */
  operators: Type.Optional(
    list(Type.Object({ uid: text, kind: text, codec: text, partitions: count }), maxNamed),
  ),
  error: Type.Optional(Type.String({ maxLength: 16_384 })),
})

export type AgentStatus = Static<typeof agentStatus>
export type JobStatus = Static<typeof jobStatus>
export type BatchStatus = Static<typeof batchStatus>
export type ViewStatus = Static<typeof viewStatus>
export type RejectedStatus = Static<typeof rejectedRecords>
export type ProgressStatus = Static<typeof batchProgress>
export type Status = AgentStatus | JobStatus

export class StatusError extends Error {
  readonly code = 'BAD_STATUS'
  constructor(reason: string, cause?: unknown) {
    super(
      `not a status record: ${reason}; is a program of another version writing to ${statusTopic}?`,
      {
        cause,
      },
    )
  }
}

/** The record of a status. Throws StatusError when it would not be read back: it is a bug here. */
export function encodeStatus(status: Status): { key: Buffer; value: Buffer } {
  checkShape(status)
  const value = Buffer.from(JSON.stringify(status))
  if (value.length > maxStatusBytes) throw new StatusError(tooLong(value.length))
  return { key: Buffer.from(status.id), value }
}

/** Fields that this version does not know are kept. Throws StatusError. */
export function decodeStatus(value: Uint8Array): Status {
  if (value.length > maxStatusBytes) throw new StatusError(tooLong(value.length))
  const { buffer, byteOffset, byteLength } = value
  let status: unknown
  try {
    status = JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString('utf8'))
  } catch (cause) {
    throw new StatusError('it is not JSON', cause)
  }
  checkShape(status)
  return status
}

function checkShape(status: unknown): asserts status is Status {
  const kind = (status as { kind?: unknown } | null)?.kind
  const schema = kind === 'agent' ? agentStatus : kind === 'job' ? jobStatus : undefined
  if (!schema) throw new StatusError('its kind is neither agent nor job')
  if (Check(schema, status)) return
  const [first] = Errors(schema, status)
  throw new StatusError(`${first?.instancePath ?? ''} ${first?.message ?? 'is malformed'}`)
}

function tooLong(bytes: number): string {
  return `${bytes} bytes, and the limit is ${maxStatusBytes}`
}
