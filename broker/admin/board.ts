// What flows, folded from what the programs say of themselves: agents and jobs through the status
// topic, topics through the broker's own counters. A pure state machine: it is told the time and the
// news, and answers with a picture for the page and the terminal. It never asks anyone anything.

import type { AgentStatus, JobStatus, Status } from '../../protocol/telemetry/status.ts'
import type { TopicOverview } from '../server/overview.ts'

export interface AgentPicture {
  readonly id: string
  readonly name: string
  readonly host: string
  readonly topics: readonly string[]
  readonly linesTotal: number
  readonly linesPerSecond: number
  /** How full its fullest channel is, 0 to 1. */
  readonly channelFill: number
  /** Nothing heard for `silentAfterMs`. */
  readonly silent: boolean
}

export interface TopicPicture {
  readonly name: string
  readonly partitions: number
  /** Offsets that consumers can read, over all partitions. */
  readonly records: number
  readonly recordsPerSecond: number
  readonly bytesInPerSecond: number
  readonly bytesOutPerSecond: number
}

export type BatchPicture = JobStatus['batches'][number]
export type ViewPicture = JobStatus['views'][number]

export interface JobPicture {
  readonly id: string
  readonly name: string
  readonly state: JobStatus['state']
  readonly error: string | undefined
  readonly topics: readonly string[]
  readonly recordsTotal: number
  readonly recordsPerSecond: number
  readonly lagRecords: number
  /** The newest batch that has been committed. */
  readonly lastBatch: BatchPicture | undefined
  readonly views: readonly ViewPicture[]
  readonly silent: boolean
}

export interface Picture {
  readonly timeMs: number
  readonly agents: readonly AgentPicture[]
  readonly topics: readonly TopicPicture[]
  readonly jobs: readonly JobPicture[]
}

/** One second of history, flat so that a chart can plot it as it is. */
export interface HistoryPoint {
  readonly timeMs: number
  readonly linesPerSecond: number
  readonly recordsPerSecond: number
  readonly bytesInPerSecond: number
  readonly lagRecords: number
  readonly latencyMs: number | null
  readonly schedulingDelayMs: number | null
  readonly processingTimeMs: number | null
  /** Share of each key, 0 to 1, by `job/view`; only for views whose chart is `share`. */
  readonly shares: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** A program that has said nothing for so long is shown as silent. Programs speak every second. */
export const silentAfterMs = 5_000
/** Forgotten after so long, so that programs that come and go cannot grow the board for ever. */
export const forgottenAfterMs = 10 * 60_000
/** Most agents, and most jobs, that the board holds; the one heard longest ago makes room. */
export const mostPrograms = 1_000
/** How many seconds the charts go back. */
export const historyLength = 300

const internalTopic = /^__/

/** How many of a job's newest batches its rate is taken over. */
const batchesOfRate = 5

interface Heard<S extends Status> {
  status: S
  heardMs: number
}

interface HeardAgent extends Heard<AgentStatus> {
  readonly rate: Rate
}

/** Readings closer together than this say little: a batch's worth may lie between two of them. */
const shortestRateMs = 500

/** Counts per second between the last two readings of a counter that are far enough apart. */
class Rate {
  #count: number | undefined
  #timeMs = 0
  perSecond = 0

  /** A counter that went back was restarted: its rate begins anew. */
  read(count: number, timeMs: number): void {
    const elapsedMs = timeMs - this.#timeMs
    if (this.#count !== undefined && elapsedMs < shortestRateMs) return
    const grown = count - (this.#count ?? count)
    this.perSecond = grown < 0 ? 0 : (grown / elapsedMs) * 1000
    this.#count = count
    this.#timeMs = timeMs
  }
}

interface TopicRates {
  overview: TopicOverview
  records: Rate
  bytesIn: Rate
  bytesOut: Rate
}

export class Board {
  readonly #agents = new Map<string, HeardAgent>()
  readonly #jobs = new Map<string, Heard<JobStatus>>()
  readonly #topics = new Map<string, TopicRates>()
  readonly #history: HistoryPoint[] = []

  /** Takes in one status record. `nowMs` is when it was read, by this machine's clock. */
  hear(status: Status, nowMs: number): void {
    if (status.kind === 'job') {
      hear(this.#jobs, { status, heardMs: nowMs })
    } else {
      const rate = this.#agents.get(status.id)?.rate ?? new Rate()
      rate.read(sum(status.sources, accepted), status.timeMs)
      hear(this.#agents, { status, heardMs: nowMs, rate })
    }
  }

  /** Takes in the broker's counters of every topic that exists now. */
  count(topics: readonly TopicOverview[], nowMs: number): void {
    const present = new Set<string>()
    for (const overview of topics) {
      present.add(overview.name)
      const known = this.#topics.get(overview.name) ?? newTopicRates(overview)
      known.overview = overview
      known.records.read(overview.messagesInTotal, nowMs)
      known.bytesIn.read(overview.bytesInTotal, nowMs)
      known.bytesOut.read(overview.bytesOutTotal, nowMs)
      this.#topics.set(overview.name, known)
    }
    for (const name of this.#topics.keys()) if (!present.has(name)) this.#topics.delete(name)
  }

  /** Ends one second: forgets who has long been silent and adds a point to the history. */
  tick(nowMs: number): HistoryPoint {
    forget(this.#agents, nowMs)
    forget(this.#jobs, nowMs)
    const point = historyPoint(this.picture(nowMs))
    this.#history.push(point)
    if (this.#history.length > historyLength) this.#history.shift()
    return point
  }

  get history(): readonly HistoryPoint[] {
    return this.#history
  }

  /** Records that consumers can read and the job's newest batch has not; as it says where unknown. */
  #lag({ views, lagRecords }: JobStatus): number {
    const read = views[0]?.offsets ?? []
    if (read.length === 0) return lagRecords
    return sum(read, ({ topic, partition, until }) => {
      const partitions = this.#topics.get(topic)?.overview.partitions
      const log = partitions?.find((other) => other.partition === partition)
      return log === undefined ? 0 : Math.max(0, log.highWatermark - until)
    })
  }

  picture(nowMs: number): Picture {
    return {
      timeMs: nowMs,
      agents: [...this.#agents.values()].map((heard) => agentPicture(heard, nowMs)).sort(byId),
      topics: [...this.#topics.values()]
        .filter(({ overview }) => !internalTopic.test(overview.name))
        .map(topicPicture)
        .sort((a, b) => a.name.localeCompare(b.name)),
      jobs: [...this.#jobs.values()]
        .map((heard) => jobPicture(heard, this.#lag(heard.status), nowMs))
        .sort(byId),
    }
  }
}

function hear<H extends Heard<Status>>(programs: Map<string, H>, heard: H): void {
  const { id, timeMs } = heard.status
  const known = programs.get(id)
  if (known && timeMs < known.status.timeMs) return
  // Deleted first, so that the map's order is that of the last word heard.
  programs.delete(id)
  if (programs.size >= mostPrograms) programs.delete(programs.keys().next().value!)
  programs.set(id, heard)
}

function forget(programs: Map<string, Heard<Status>>, nowMs: number): void {
  for (const [id, heard] of programs) {
    if (nowMs - heard.heardMs < forgottenAfterMs) return
    programs.delete(id)
  }
}

function newTopicRates(overview: TopicOverview): TopicRates {
  return { overview, records: new Rate(), bytesIn: new Rate(), bytesOut: new Rate() }
}

function agentPicture({ status, heardMs, rate }: HeardAgent, nowMs: number): AgentPicture {
  const silent = nowMs - heardMs > silentAfterMs
  return {
    id: status.id,
    name: status.name,
    host: status.host,
    topics: [...new Set(status.sinks.flatMap((sink) => sink.topic ?? []))],
    linesTotal: sum(status.sources, accepted),
    linesPerSecond: silent ? 0 : rate.perSecond,
    channelFill: Math.max(0, ...status.channels.map(({ size, capacity }) => size / capacity)),
    silent,
  }
}

function topicPicture({ overview, records, bytesIn, bytesOut }: TopicRates): TopicPicture {
  return {
    name: overview.name,
    partitions: overview.partitions.length,
    records: sum(overview.partitions, ({ highWatermark }) => highWatermark),
    recordsPerSecond: records.perSecond,
    bytesInPerSecond: bytesIn.perSecond,
    bytesOutPerSecond: bytesOut.perSecond,
  }
}

function jobPicture(
  { status, heardMs }: Heard<JobStatus>,
  lagRecords: number,
  nowMs: number,
): JobPicture {
  const silent = status.state === 'running' && nowMs - heardMs > silentAfterMs
  return {
    id: status.id,
    name: status.name,
    state: status.state,
    error: status.error,
    topics: status.topics,
    recordsTotal: status.recordsTotal,
    recordsPerSecond: silent || status.state !== 'running' ? 0 : batchRate(status),
    lagRecords,
    lastBatch: status.batches.at(-1),
    views: status.views,
    silent,
  }
}

/** Records per second over the newest batches. Reports come at no fixed pace; batches do. */
function batchRate({ batches, batchIntervalMs }: JobStatus): number {
  const newest = batches.slice(-batchesOfRate)
  if (newest.length === 0) return 0
  const spanMs = newest.at(-1)!.timeMs - newest[0]!.timeMs + batchIntervalMs
  return (sum(newest, ({ records }) => records) / spanMs) * 1000
}

function historyPoint(picture: Picture): HistoryPoint {
  const batch = picture.jobs.find((job) => job.lastBatch)?.lastBatch
  return {
    timeMs: picture.timeMs,
    linesPerSecond: sum(picture.agents, (agent) => agent.linesPerSecond),
    recordsPerSecond: sum(picture.jobs, (job) => job.recordsPerSecond),
    bytesInPerSecond: sum(picture.topics, (topic) => topic.bytesInPerSecond),
    lagRecords: sum(picture.jobs, (job) => job.lagRecords),
    latencyMs: batch && batch.records > 0 ? batch.latencyMs : null,
    schedulingDelayMs: batch?.schedulingDelayMs ?? null,
    processingTimeMs: batch?.processingTimeMs ?? null,
    shares: Object.fromEntries(
      picture.jobs.flatMap((job) =>
        job.views
          .filter((view) => view.chart === 'share')
          .map((view) => [`${job.name}/${view.name}`, shares(view)]),
      ),
    ),
  }
}

/** Each key's part of the whole; empty while there is nothing. */
function shares(view: ViewPicture): Record<string, number> {
  const total = sum(view.rows, ([, value]) => value)
  if (total <= 0) return {}
  return Object.fromEntries(view.rows.map(([key, value]) => [key, value / total]))
}

function accepted(source: AgentStatus['sources'][number]): number {
  return source.eventsAccepted
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id.localeCompare(b.id)
}
