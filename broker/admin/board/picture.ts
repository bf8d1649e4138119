// The shape of what the console shows: one picture of everything at one moment, for the page, the
// terminal and `/api/v1/status`. Data only; Board makes it.

import type { BatchStatus, JobStatus, ViewStatus } from '../../../protocol/telemetry/status.ts'

export interface Picture {
  /** When the picture was taken. */
  readonly timeMs: number
  /**
   * The moment that the figures are of: at most a few seconds before `timeMs`, so that every live agent
   * has reported since. What is stored and counted is never more than what had been read.
   */
  readonly momentMs: number
  /** What is not well, most serious first; empty while all is well. */
  readonly problems: readonly Problem[]
  readonly agents: readonly AgentPicture[]
  readonly topics: readonly TopicPicture[]
  /** All topics but internal ones; `topics` holds no more than `mostTopics` of them. */
  readonly topicsTotal: number
  readonly jobs: readonly JobPicture[]
  readonly ledgers: readonly LedgerPicture[]
}

export type Subject = 'broker' | 'topic' | 'job' | 'agent'

export interface Problem {
  readonly subject: Subject
  /** The agent's, topic's or job's id, which is also the anchor on the page; empty for the broker. */
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
  /** Null while it is not known: before the second report, and when a report is late. */
  readonly linesPerSecond: number | null
  /** The fullest channel: its name, and how full it is, 0 to 1. */
  readonly channel: string
  readonly channelFill: number
  /** Events in all channels. */
  readonly channelEvents: number
  /** Time since the last report. */
  readonly ageMs: number
  /** No report for `silentAfterMs`. */
  readonly silent: boolean
  /** How long the channels have held events without a sink draining any; 0 while they drain. */
  readonly undrainedMs: number
}

export interface TopicPicture {
  readonly name: string
  readonly partitions: number
  /** Partitions that nobody can read or write now. */
  readonly offlinePartitions: number
  /**
   * High watermarks, summed over the partitions: records ever stored that consumers may read. Null while that
   * of any partition is not known.
   */
  readonly records: number | null
  readonly recordsPerSecond: number | null
  readonly bytesInPerSecond: number | null
  readonly bytesOutPerSecond: number | null
  /** Nothing was written or read lately, and no agent or job is known to use it. */
  readonly quiet: boolean
}

export type BatchPicture = BatchStatus

export interface ViewPicture extends ViewStatus {
  /** Rows that are not shown, the smallest of the view. */
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
  /** The host that runs the job, and where the job itself answers. */
  readonly host: string | undefined
  readonly address: string | undefined
  /** What the batch that runs is doing, once it takes longer than is usual. */
  readonly slowBatch: SlowBatchPicture | undefined
  readonly rejected: JobStatus['rejected']
  /** Records that were removed before the job had read them. */
  readonly lostRecords: number
  /** Rows that came too late for their windows in event time. */
  readonly lateRows: number
  readonly topics: readonly string[]
  readonly batchIntervalMs: number
  /** Records counted since the job's first start. */
  readonly recordsTotal: number
  /** Null while it is not known: the job is silent, or has no batch yet. */
  readonly recordsPerSecond: number | null
  /** Records stored and not counted. */
  readonly lagRecords: number
  /** How far results are behind at most; null while it is not known. */
  readonly lagMs: number | null
  /** From line to result in the newest batch; null when it had no line. */
  readonly latencyMs: number | null
  /** The newest batch that has been committed. */
  readonly lastBatch: BatchPicture | undefined
  /** How many of the newest batches, without a break, took longer than the interval. */
  readonly slowBatches: number
  readonly views: readonly ViewPicture[]
  /** Time since the last report. */
  readonly ageMs: number
  readonly silent: boolean
}

/**
 * Where every line of a job's input is, at the picture's moment. It balances:
 * `read + elsewhere = stored + onTheWay`, and `stored = before + counted + waiting`. No term is negative.
 */
export interface LedgerPicture {
  readonly job: string
  readonly topics: readonly string[]
  /** Lines that agents read for these topics, over restarts of the agents. */
  readonly read: number
  /** Records stored that no known agent has read: of other producers, or from before the agents' start. */
  readonly elsewhere: number
  /** Lines read and not stored yet: in channels, and in requests. */
  readonly onTheWay: number
  readonly stored: number
  /** Records below the offsets at which the job began. */
  readonly before: number
  readonly counted: number
  readonly waiting: number
}
