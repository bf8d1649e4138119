// The board: folds the reports of agents and jobs (from the status topic) and the broker's counters
// of topics into one picture per second, which the page, the terminal and the API all show until
// the next.
// Contract: a pure state machine; time and input are passed in. Must never read a clock, do I/O or
// grow without bound.

import type { Status } from '../../../protocol/telemetry/status/status.ts'
import { recordsIn, type TopicOverview } from '../../server/overview.ts'
import { AgentBoard } from './agentBoard.ts'
import { problemsOf } from './health.ts'
import { History, historyPoint } from './history.ts'
import { JobBoard } from './jobBoard.ts'
import { Ledgers } from './ledgers.ts'
import type { AgentPicture, JobPicture, Picture, TopicPicture } from './picture.ts'
import { byName } from './programs.ts'
import { quietAfterMs, type TopicSample, TopicSamples } from './topicSamples.ts'

/** Most topics in a picture: the topics in use first, then the others by name. */
export const mostTopics = 500

const internalTopic = /^__/

export class Board {
  readonly #agents = new AgentBoard()
  readonly #jobs = new JobBoard()
  readonly #samples = new TopicSamples()
  readonly #ledgers = new Ledgers()
  readonly history = new History()
  #brokerProblems: readonly string[] = []
  #picture: Picture | undefined

  /** The latest picture; all its figures are of the same moment. */
  get picture(): Picture {
    return this.#picture ?? emptyPicture
  }

  /** Folds in one status record. `heardMs` is when it was read, by the clock of this machine. */
  hear(status: Status, heardMs: number): void {
    if (status.kind === 'job') this.#jobs.hear(status, heardMs)
    else this.#agents.hear(status, heardMs)
  }

  /** Removes a program whose status was deleted. */
  delete(id: string): void {
    this.#agents.delete(id)
    this.#jobs.delete(id)
  }

  /** Folds in the broker's counters of all existing topics. */
  count(topics: readonly TopicOverview[], nowMs: number): void {
    this.#samples.add(
      topics.filter(({ name }) => !internalTopic.test(name)),
      nowMs,
    )
  }

  /** Problems of the broker, or of the connection to it: one readable line each. */
  set brokerProblems(texts: readonly string[]) {
    this.#brokerProblems = texts
  }

  /** Ends one second: makes its picture and adds a point to the history. */
  tick(nowMs: number): Picture {
    this.#agents.forget(nowMs)
    this.#jobs.forget(nowMs)
    const sample = this.#samples.at(this.#agents.moment(nowMs))
    const agents = this.#agents.pictures(nowMs)
    const jobs = this.#jobs.pictures(sample, nowMs)
    const topics = this.#topics(sample, usedTopics(agents, jobs), nowMs)
    this.#picture = {
      timeMs: nowMs,
      momentMs: sample.timeMs,
      problems: problemsOf({ agents, topics, jobs, broker: this.#brokerProblems }),
      agents,
      topics: topics.slice(0, mostTopics),
      topicsTotal: topics.length,
      jobs,
      ledgers: this.#ledgers.pictures(
        jobs,
        this.#jobs.positions(sample),
        this.#agents.read(sample.timeMs),
      ),
    }
    this.history.add(historyPoint(this.#picture, topics))
    return this.#picture
  }

  /** Topics in use first, each group by name: a topic's place does not depend on its traffic. */
  #topics(sample: TopicSample, used: ReadonlySet<string>, nowMs: number): TopicPicture[] {
    return [...sample.topics.values()]
      .map((overview) => this.#topic(overview, used, nowMs))
      .sort((a, b) => Number(a.quiet) - Number(b.quiet) || byName.compare(a.name, b.name))
  }

  #topic({ name, partitions }: TopicOverview, used: ReadonlySet<string>, nowMs: number) {
    const traffic = this.#samples.traffic(name)
    const offlinePartitions = partitions.filter(({ isOffline }) => isOffline).length
    const isActive = traffic !== undefined && nowMs - traffic.lastMs < quietAfterMs
    const topic: TopicPicture = {
      name,
      partitions: partitions.length,
      offlinePartitions,
      records: recordsIn(partitions),
      recordsPerSecond: traffic?.records.perSecond ?? null,
      bytesInPerSecond: traffic?.bytesIn.perSecond ?? null,
      bytesOutPerSecond: traffic?.bytesOut.perSecond ?? null,
      quiet: !isActive && !used.has(name) && offlinePartitions === 0,
    }
    return topic
  }
}

function usedTopics(agents: readonly AgentPicture[], jobs: readonly JobPicture[]): Set<string> {
  return new Set([...agents, ...jobs].flatMap(({ topics }) => topics))
}

const emptyPicture: Picture = {
  timeMs: 0,
  momentMs: 0,
  problems: [],
  agents: [],
  topics: [],
  topicsTotal: 0,
  jobs: [],
  ledgers: [],
}
