// The data that the console shows: everything at one moment, for the page, the terminal and
// `/api/v1/status`. Types only; Board makes it.

import type {
  BatchStatus,
  JobStatus,
  ViewStatus,
} from '../../../protocol/telemetry/status/status.ts'

export interface Picture {
  /** When the picture was made. */
  readonly timeMs: number
  /**
   * The moment that the figures are of: a few seconds before `timeMs` at most, so that every live
   * agent has reported since. Records stored and counted never exceed lines read.
   */
  readonly momentMs: number
  /** Problems, most serious first; empty while all is well. */
  readonly problems: readonly Problem[]
  readonly agents: readonly AgentPicture[]
  readonly topics: readonly TopicPicture[]
  /** Number of all topics except internal ones; `topics` holds at most `mostTopics` of them. */
  readonly topicsTotal: number
  readonly jobs: readonly JobPicture[]
  readonly ledgers: readonly LedgerPicture[]
}

export type Subject = 'broker' | 'topic' | 'job' | 'agent'

export interface Problem {
  readonly subject: Subject
  /** Id of the agent, topic or job, which is also its anchor on the page; empty for the broker. */
  readonly id: string
  readonly text: string
}

export interface AgentPicture {
  readonly id: string
  readonly name: string
  readonly host: string
  readonly state: 'running' | 'stopped'
  readonly topics: readonly string[]
  readonly linesTotal: number
  /** Null while unknown: before the second report, and while a report is late. */
  readonly linesPerSecond: number | null
  /** Name of the fullest channel; `channelFill` is its fill, 0 to 1. */
  readonly channel: string
  readonly channelFill: number
  /** Events in all channels. */
  readonly channelEvents: number
  /** Time since the last report. */
  readonly ageMs: number
  /** No report for `silentAfterMs`. */
  readonly silent: boolean
  /** How long no sink has drained the channels although they hold events; 0 while they drain. */
  readonly undrainedMs: number
}

export interface TopicPicture {
  readonly name: string
  readonly partitions: number
  /** Partitions that can be neither read nor written now. */
  readonly offlinePartitions: number
  /**
   * Sum of the high watermarks over the partitions: records ever stored that consumers may read.
   * Null while one of them is unknown.
   */
  readonly records: number | null
  readonly recordsPerSecond: number | null
  readonly bytesInPerSecond: number | null
  readonly bytesOutPerSecond: number | null
  /** No recent reads or writes, and not used by any known agent or job. */
  readonly quiet: boolean
}

export type BatchPicture = BatchStatus

export interface ViewPicture extends ViewStatus {
  /** Rows left out: the smallest ones of the view. */
  readonly rowsLeftOut: number
  /** Sum over all rows, including those left out. */
  readonly total: number
}

export interface SlowBatchPicture {
  /** `batch 17 for 60 s, partition 3 of stage 2` */
  readonly text: string
  readonly runningMs: number
}

export interface JobPicture {
  readonly id: string
  readonly name: string
  readonly state: JobStatus['state']
  readonly error: string | undefined
  /** Host that runs the job, and the address of the job's own server. */
  readonly host: string | undefined
  readonly address: string | undefined
  /** What the running batch is doing, if it takes unusually long. */
  readonly slowBatch: SlowBatchPicture | undefined
  readonly rejected: JobStatus['rejected']
  /** Records deleted before the job had read them. */
  readonly lostRecords: number
  /** Rows that arrived after their windows in event time had closed. */
  readonly lateRows: number
  readonly topics: readonly string[]
  readonly batchIntervalMs: number
  /** Records counted since the job's first start. */
  readonly recordsTotal: number
  /** Null while unknown: the job is silent, or has not committed a batch. */
  readonly recordsPerSecond: number | null
  /** Records stored and not yet counted. */
  readonly lagRecords: number
  /** How far results are behind at most; null while unknown. */
  readonly lagMs: number | null
  /** Time from line to result in the latest batch; null if it had no line. */
  readonly latencyMs: number | null
  /** The latest committed batch. */
  readonly lastBatch: BatchPicture | undefined
  /** How many of the latest batches in a row took longer than the interval. */
  readonly slowBatches: number
  readonly views: readonly ViewPicture[]
  /** Time since the last report. */
  readonly ageMs: number
  readonly silent: boolean
}

/**
 * Accounts for every line of a job's input at the picture's moment. Invariant: `read + elsewhere =
 * stored + onTheWay` and `stored = before + counted + waiting`; no term is negative.
 */
export interface LedgerPicture {
  readonly job: string
  readonly topics: readonly string[]
  /** Lines that agents read for these topics, summed over restarts of the agents. */
  readonly read: number
  /**
   * Records stored that no known agent has read: from other producers, or older than the agents.
   */
  readonly elsewhere: number
  /** Lines read and not yet stored: in channels and in requests. */
  readonly onTheWay: number
  readonly stored: number
  /** Records below the start offsets of the job. */
  readonly before: number
  readonly counted: number
  readonly waiting: number
}
