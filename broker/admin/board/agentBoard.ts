// The agents on the board: their latest reports, and figures that need several reports of an agent.

import type { AgentStatus } from '../../../protocol/telemetry/status/status.ts'
import type { AgentPicture } from './picture.ts'
import { type Heard, lateAfterMs, Programs, reportedMs, silentAfterMs } from './programs.ts'
import { Rate } from './rate.ts'

/** The longest that a picture is delayed for the reports of its agents. */
const mostReportAgeMs = 3_000

interface HeardAgent extends Heard<AgentStatus> {
  readonly rate: Rate
  /** Lines read in earlier runs of the agent: its counters restart at 0. */
  readonly carried: number
  readonly drained: number
  /** When a sink last drained events, or the channels were last empty. */
  readonly progressMs: number
}

/** Lines read by an agent that sends to exactly one topic. */
export interface ReadLines {
  /** The agent's id. */
  readonly agent: string
  readonly topic: string
  /** Summed over restarts of the agent. */
  readonly lines: number
  /** Whether the agent has reported since the picture's moment, or has stopped. */
  readonly isComplete: boolean
}

export class AgentBoard {
  readonly #agents = new Programs<AgentStatus, HeardAgent>()

  hear(status: AgentStatus, nowMs: number): void {
    if (!this.#agents.isNews(status)) return
    const known = this.#agents.get(status.id)
    const lines = linesOf(status)
    const rate = known?.rate ?? new Rate()
    rate.read(lines, status.timeMs)
    const before = known ? linesOf(known.status) : 0
    const drained = sum(status.sinks, ({ eventsDrained }) => eventsDrained)
    const isMoving = !known || drained !== known.drained || eventsIn(status) === 0
    this.#agents.set({
      status,
      heardMs: nowMs,
      rate,
      carried: (known?.carried ?? 0) + (lines < before ? before : 0),
      drained,
      progressMs: isMoving ? nowMs : known.progressMs,
    })
  }

  delete(id: string): void {
    this.#agents.delete(id)
  }

  forget(nowMs: number): void {
    this.#agents.forget(nowMs)
  }

  /** Returns the latest moment at which no timely agent had reported yet. */
  moment(nowMs: number): number {
    const reports = this.#agents
      .sorted()
      .filter(({ status, heardMs }) => isRunning(status) && nowMs - heardMs <= mostReportAgeMs)
      .map(reportedMs)
    return Math.min(nowMs, ...reports.filter((timeMs) => nowMs - timeMs <= mostReportAgeMs))
  }

  /**
   * Returns the lines of agents that send to one topic; the topics of other agents' lines are
   * unknown.
   */
  read(momentMs: number): ReadLines[] {
    return this.#agents.sorted().flatMap((heard) => {
      const { status, carried } = heard
      const topics = topicsOf(status)
      if (topics.length !== 1 || status.channels.length !== 1) return []
      const lines = carried + linesOf(status)
      const isComplete = !isRunning(status) || reportedMs(heard) >= momentMs
      return { agent: status.id, topic: topics[0]!, lines, isComplete }
    })
  }

  pictures(nowMs: number): AgentPicture[] {
    return this.#agents.sorted().map((heard) => picture(heard, nowMs))
  }
}

function picture({ status, heardMs, rate, progressMs }: HeardAgent, nowMs: number): AgentPicture {
  const ageMs = Math.max(0, nowMs - heardMs)
  const [fullest] = status.channels.toSorted((a, b) => fill(b) - fill(a))
  return {
    id: status.id,
    name: status.name,
    host: status.host,
    state: status.state ?? 'running',
    topics: topicsOf(status),
    linesTotal: linesOf(status),
    linesPerSecond: ageMs > lateAfterMs || !isRunning(status) ? null : rate.perSecond,
    channel: fullest?.name ?? '',
    channelFill: fullest ? fill(fullest) : 0,
    channelEvents: eventsIn(status),
    ageMs,
    silent: isRunning(status) && ageMs > silentAfterMs,
    undrainedMs: status.sinks.length === 0 ? 0 : heardMs - progressMs,
  }
}

function isRunning({ state }: AgentStatus): boolean {
  return state !== 'stopped'
}

function topicsOf({ sinks }: AgentStatus): string[] {
  return [...new Set(sinks.flatMap(({ topic }) => topic ?? []))]
}

function linesOf({ sources }: AgentStatus): number {
  return sum(sources, ({ eventsAccepted }) => eventsAccepted)
}

function eventsIn({ channels }: AgentStatus): number {
  return sum(channels, ({ size }) => size)
}

function fill({ size, capacity }: AgentStatus['channels'][number]): number {
  return capacity === 0 ? 0 : size / capacity
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
