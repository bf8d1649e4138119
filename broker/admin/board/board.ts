// What flows, folded from what the programs report: agents and jobs through the status topic, topics
// through the broker's own counters. A pure state machine: it is given the time and the news, and once a
// second it makes one picture, which the page, the terminal and the API all show until the next.

import type { Status } from '../../../protocol/telemetry/status.ts'
import { recordsIn, type TopicOverview } from '../../server/overview.ts'
import { AgentBoard } from './agentBoard.ts'
import { problemsOf } from './health.ts'
import { History, historyPoint } from './history.ts'
import { JobBoard } from './jobBoard.ts'
import { Ledgers } from './ledgers.ts'
import type { AgentPicture, JobPicture, Picture, TopicPicture } from './picture.ts'
import { byName } from './programs.ts'
import { quietAfterMs, type TopicSample, TopicSamples } from './topicSamples.ts'

/** Most topics in a picture: those in use, then others by name. */
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

  /** The newest picture; all figures in it are of one moment. */
  get picture(): Picture {
    return this.#picture ?? emptyPicture
  }

  /** Takes in one status record. `heardMs` is when it was read, by this machine's clock. */
  hear(status: Status, heardMs: number): void {
    if (status.kind === 'job') this.#jobs.hear(status, heardMs)
    else this.#agents.hear(status, heardMs)
  }

  /** Forgets a program whose status was deleted. */
  delete(id: string): void {
    this.#agents.delete(id)
    this.#jobs.delete(id)
  }

  /** Takes in the broker's counters of every topic that exists now. */
  count(topics: readonly TopicOverview[], nowMs: number): void {
    this.#samples.add(
      topics.filter(({ name }) => !internalTopic.test(name)),
      nowMs,
    )
  }

  /** What is not well with the broker, or keeps the console from it, each as a line for people. */
  set brokerProblems(texts: readonly string[]) {
    this.#brokerProblems = texts
  }

  /** Ends one second: makes the picture of it and adds a point to the history. */
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

  /** Those in use first, each group by name: a topic does not change its place with its traffic. */
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
