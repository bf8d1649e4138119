// The statuses that programs publish about themselves, as records of one topic: the key is the id,
// the latest value counts. Values are untrusted and validated in size and shape before use. Must
// never contain record data: the console shows statuses to everybody who can open the page.

import { type Static, type TSchema, Type } from 'typebox'
import { Check, Errors } from 'typebox/value'
import { CodedError } from '../../runtime/codedError.ts'
import { statusTopic } from './statusTopicName.ts'

/** Maximum size of a status; a larger value is refused before it is parsed. */
export const maxStatusBytes = 512 * 1024
/** Latest batches in the status of a job, newest last. */
export const maxStatusBatches = 60
/** Tasks of the running batch, oldest first. */
export const maxRunningTasks = 64
/** Maximum number of topics, operators and watermarks in the status of a job. */
export const maxNamed = 256
/** Maximum number of rejected records in the status of a job: the first ones. */
export const maxRejectedShown = 10
/** Maximum number of rows of a view: statuses are for display, results belong in a topic. */
export const maxViewRows = 1000

const text = Type.String({ maxLength: 1024 })
/** Counts, milliseconds and offsets: non-negative safe integers. */
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** A duration, or a value computed by a job. */
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
  /** Absent means running. `stopped` is the last status of an agent that shut down cleanly. */
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
  /** Nominal time of the batch. */
  timeMs: count,
  records: count,
  schedulingDelayMs: figure,
  processingTimeMs: figure,
  totalDelayMs: figure,
  /**
   * Time of the result minus the oldest record timestamp in the batch; absent without a timestamp.
   */
  latencyMs: Type.Optional(figure),
})

const viewStatus = Type.Object({
  name: text,
  title: text,
  chart: Type.Union([Type.Literal('bar'), Type.Literal('share')]),
  /** The batch of the rows, and the offsets it read: from a number back to its lines. */
  batchId: Type.Integer({ minimum: -1, maximum: Number.MAX_SAFE_INTEGER }),
  offsets: list(Type.Object({ topic: text, partition: count, from: count, until: count }), 4096),
  rows: list(Type.Tuple([text, figure]), maxViewRows),
  /** Labels of row keys; a key without one is shown as it is. */
  labels: Type.Optional(Type.Record(Type.String({ maxLength: 256 }), text)),
})

/** The running batch: shows slow and hanging batches. */
const runningBatch = Type.Object({
  batchId: count,
  sinceMs: count,
  tasks: list(
    Type.Object({
      stage: text,
      operator: text,
      partition: count,
      executor: count,
      /** 1 for the first attempt. */
      attempt: count,
      sinceMs: count,
    }),
    maxRunningTasks,
  ),
})

/** Progress of the running batch, as text: `batch 17 for 60 s, partition 3 of stage 2`. */
const batchProgress = Type.Object({
  text,
  batchId: count,
  sinceMs: count,
  /** Tasks of the stages known so far; absent if the engine does not report them. */
  tasksDone: Type.Optional(count),
  tasksTotal: Type.Optional(count),
})

/** Records left out of the job's results since the process started. */
const rejectedRecords = Type.Object({
  total: count,
  topics: list(Type.Object({ topic: text, records: count }), maxNamed),
  /** The first ones: position and error, without data of the record. */
  first: list(
    Type.Object({ topic: text, partition: count, offset: count, error: text }),
    maxRejectedShown,
  ),
})

const jobStatus = Type.Object({
  kind: Type.Literal('job'),
  /** `job/<name>/<instance>`: copies of a job in other directories have other instances. */
  id: text,
  name: text,
  timeMs: count,
  state: Type.Union([Type.Literal('running'), Type.Literal('stopped'), Type.Literal('failed')]),
  topics: list(text, 256),
  batchIntervalMs: count,
  lagRecords: count,
  recordsTotal: count,
  /** Next offset to count, for each partition of the topics. */
  positions: Type.Optional(
    list(Type.Object({ topic: text, partition: count, until: count }), 4096),
  ),
  batches: list(batchStatus, maxStatusBatches),
  views: list(viewStatus, 64),
  /** Present only while a batch runs. */
  running: Type.Optional(runningBatch),
  progress: Type.Optional(batchProgress),
  /** Why no batch can be planned: `the topics cannot be read: ...`. */
  waiting: Type.Optional(text),
  /** The operation that fails and is retried: `batch 7: foreachRDD failed: ...`. */
  failing: Type.Optional(text),
  /** When this process started the job. Of two jobs with the same name, the later one ends. */
  startedMs: Type.Optional(count),
  /** Name of the host that runs the job. */
  host: Type.Optional(text),
  /**
   * Address of the job's own server, `http://127.0.0.1:41234`; a loopback address belongs to
   * `host`.
   */
  address: Type.Optional(text),
  /** Version of the job's code: a prefix of its hash. */
  code: Type.Optional(text),
  rejected: Type.Optional(rejectedRecords),
  /** Records deleted from the topics before the job had read them. */
  lostRecords: Type.Optional(count),
  /**
   * Rows that arrived too late for their windows since the process started, whether or not the job
   * reads them.
   */
  lateRows: Type.Optional(count),
  /** Watermarks of the latest committed batch, by withWatermark uid, in ms since the epoch. */
  watermarks: Type.Optional(Type.Record(Type.String({ maxLength: 256 }), figure)),
  /** Streams with state. */
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

export class StatusError extends CodedError<'BAD_STATUS'> {
  constructor(reason: string, cause?: unknown) {
    super(
      'BAD_STATUS',
      `invalid status record: ${reason}; check whether a program of another version writes to ${statusTopic}`,
      cause,
    )
  }
}

/**
 * Encodes a status as a record. Throws StatusError if it could not be decoded: a bug of the caller.
 */
export function encodeStatus(status: Status): { key: Buffer; value: Buffer } {
  checkShape(status)
  const value = Buffer.from(JSON.stringify(status))
  if (value.length > maxStatusBytes) throw new StatusError(tooLong(value.length))
  return { key: Buffer.from(status.id), value }
}

/** Unknown fields of newer versions are kept. Throws StatusError. */
export function decodeStatus(value: Uint8Array): Status {
  if (value.length > maxStatusBytes) throw new StatusError(tooLong(value.length))
  const { buffer, byteOffset, byteLength } = value
  let status: unknown
  try {
    status = JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString('utf8'))
  } catch (cause) {
    throw new StatusError('not JSON', cause)
  }
  checkShape(status)
  return status
}

function checkShape(status: unknown): asserts status is Status {
  const kind = (status as { kind?: unknown } | null)?.kind
  const schema = kind === 'agent' ? agentStatus : kind === 'job' ? jobStatus : undefined
  if (!schema) throw new StatusError('kind is neither agent nor job')
  if (Check(schema, status)) return
  const [first] = Errors(schema, status)
  throw new StatusError(`${first?.instancePath ?? ''} ${first?.message ?? 'is malformed'}`)
}

function tooLong(bytes: number): string {
  return `${bytes} bytes exceed the limit of ${maxStatusBytes}`
}
