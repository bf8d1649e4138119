// Sends inputs to whole brokers in memory and checks their invariants. A failure is: a request that
// hangs, a connection closed without a reason in the log, an error in the log, an answer that
// cannot be decoded, memory that grows, or a log that does not open again. A seed determines the
// whole history.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { servedApis } from '../../broker/server/dispatch/dispatch.ts'
import { createTopics } from '../../protocol/kafka/apis/createTopics.ts'
import { metadata } from '../../protocol/kafka/apis/metadata.ts'
import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import { settle } from '../../protocol/runtime/time/manualClock.ts'
import { MemoryBroker } from '../broker/server/memoryBroker.ts'
import { capturedFrames } from './capturedFrames.ts'
import { Figures } from './figures.ts'
import { FuzzClient } from './fuzzClient.ts'
import { drawInput, type InputSource } from './input.ts'
import { withTopicIds } from './layout.ts'
import { type BrokerContents, sampleFrame } from './requestGenerator.ts'
import { checkedPeakBytes } from './residentMemory.ts'

const address = { host: 'broker', port: 9092 }
const megabyte = 1024 * 1024
const clientCount = 32
const maxFrameBytes = megabyte
/** After this number of inputs the broker is stopped or loses power, and opens its logs again. */
const inputsPerBroker = 20_000
const roundsBetweenProbes = 20
/** Average number of inputs on a connection. */
const inputsPerConnection = 12
/**
 * Time in which the broker has checked twice for clients that stopped in the middle of a request.
 */
const patienceMs = 65_000
/** APIs whose answers wait for other clients, or for a time that the client chose. */
const mayWait = new Set(['Fetch', 'JoinGroup', 'SyncGroup'])
/** Memory that closed brokers may leave in use: compiled code, codecs, pools. */
const leftBehindBytes = 48 * megabyte

const figuresOfClients = [
  'memory_used_bytes{budget="requests"}',
  'memory_used_bytes{budget="decoded"}',
  'memory_used_bytes{budget="responses"}',
  'connections{listener="MEMORY"}',
]

const topicConfigs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  t: {},
  compacted: { 'cleanup.policy': 'compact', 'segment.bytes': '20000' },
  recompressed: { 'compression.type': 'lz4' },
  stamped: { 'message.timestamp.type': 'LogAppendTime' },
  recent: { 'message.timestamp.before.max.ms': '3600000' },
}
const topics = Object.keys(topicConfigs)

export class FuzzError extends Error {
  readonly code = 'FUZZ'
}

export interface CampaignOptions {
  readonly seed: number
  readonly inputs: number
  readonly onProgress?: (figures: Figures) => void
}

/** Runs a campaign. Throws a FuzzError with the command that repeats a failure. */
export async function runCampaign({ seed, inputs, onProgress }: CampaignOptions): Promise<Figures> {
  const figures = new Figures()
  let heldBytes: number | undefined
  for (let brokerSeed = seed; figures.inputs < inputs; brokerSeed++) {
    const most = Math.min(inputsPerBroker, inputs - figures.inputs)
    try {
      await new Siege(brokerSeed, figures).run(most)
      const nowBytes = await collectedBytes()
      heldBytes ??= nowBytes
      if (nowBytes - heldBytes > leftBehindBytes) {
        throw new FuzzError(
          `${nowBytes - heldBytes} bytes are still in use after brokers were closed`,
        )
      }
    } catch (error) {
      const message = `${(error as Error).message}\nto see it again: node test/fuzz/fuzz.ts --seed ${brokerSeed} --inputs ${most}`
      throw new FuzzError(message, { cause: error })
    }
    onProgress?.(figures)
  }
  return figures
}

/** A broker and its clients. */
class Siege {
  readonly #random: Random
  readonly #figures: Figures
  readonly #clients: FuzzClient[] = []
  readonly #corpus: Buffer[] = []
  readonly #reasons = new Map<string, string>()
  #broker!: MemoryBroker
  #source!: InputSource
  #connections = 0
  #pending = 0
  #failure: string | undefined

  constructor(seed: number, figures: Figures) {
    this.#random = seededRandom(seed)
    this.#figures = figures
  }

  async run(inputs: number): Promise<void> {
    this.#broker = await MemoryBroker.start({
      'socket.request.max.bytes': maxFrameBytes,
      'queued.max.request.bytes': 4 * maxFrameBytes,
      'log.segment.bytes': megabyte,
      'flush.journal.file.bytes': 4 * megabyte,
      'log.cleaner.dedupe.buffer.size': megabyte,
      'log.cleaner.io.buffer.size': megabyte,
      'offsets.topic.num.partitions': 4,
      'transaction.state.log.num.partitions': 4,
    })
    for (const api of servedApis) {
      for (let version = api.advertisedMinVersion; version <= api.maxVersion; version++) {
        this.#corpus.push(sampleFrame(api, version))
      }
    }
    for (const { frame } of capturedFrames()) this.#corpus.push(Buffer.from(frame, 'base64'))
    const until = this.#figures.inputs + inputs
    for (let round = 0; this.#figures.inputs < until; round++) {
      if (round % roundsBetweenProbes === 0) this.#source = await this.#probe()
      await this.#round(Math.min(clientCount, until - this.#figures.inputs))
    }
    await this.#comeBack()
    await this.#broker.stop()
  }

  /** Checks that a new connection is served, and that the resources of the requests exist. */
  async #probe(): Promise<InputSource> {
    const client = await this.#broker.client()
    this.#connections++
    const answers = (async () => {
      await client.send(createTopics, 4, {
        timeoutMs: 1000,
        topics: Object.entries(topicConfigs).map(([name, configs]) => ({
          name,
          numPartitions: 2,
          replicationFactor: 1,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        })),
      })
      return await client.send(metadata, 12, { topics: topics.map((name) => ({ name })) })
    })()
    let found: Awaited<typeof answers> | undefined
    answers.then(
      (answer) => {
        found = answer
      },
      () => {},
    )
    for (let turn = 0; turn < 2000 && !found; turn++) await this.#turn(turn)
    if (!found) throw new FuzzError('a probe was not answered')
    client.close()
    this.#figures.probes++
    const contents: BrokerContents = {
      topics,
      topicIds: found.topics.map(({ topicId }) => topicId),
      nowMs: () => this.#broker.clock.nowMs(),
    }
    return {
      random: this.#random,
      contents,
      apis: servedApis,
      corpus: this.#corpus.map((frame) => withTopicIds(frame, contents.topicIds[0]!)),
      tooManyBytes: maxFrameBytes + 1,
    }
  }

  /** Sends an input from each client, until all inputs have ended. */
  async #round(clients: number): Promise<void> {
    const startMs = performance.now()
    for (let at = 0; at < clients; at++) {
      const client = this.#clients[at]
      if (!client || client.isClosed) this.#clients[at] = await this.#connect()
    }
    this.#pending = clients
    for (const client of this.#clients.slice(0, clients)) client.send(drawInput(this.#source))
    await this.#untilSettled()
    this.#figures.inputs += clients
    this.#readLog()
    this.#figures.slowestRoundMs = Math.max(
      this.#figures.slowestRoundMs,
      performance.now() - startMs,
    )
    this.#figures.peakBytes = checkedPeakBytes()
    for (const client of this.#clients) {
      if (this.#random.below(inputsPerConnection) === 0) client.leave()
    }
  }

  async #untilSettled(): Promise<void> {
    const deadlineMs = this.#broker.clock.monotonicMs() + patienceMs
    for (let turn = 0; this.#pending > 0; turn++) {
      await this.#turn(turn)
      if (this.#failure) throw new FuzzError(this.#failure)
      if (this.#broker.clock.monotonicMs() > deadlineMs) this.#giveUp()
    }
  }

  /** Runs until nothing can proceed; after some rounds of that, the time advances. */
  async #turn(turn: number): Promise<void> {
    await settle()
    if (turn % 8 === 7) this.#broker.clock.advance(this.#broker.clock.nextTimerInMs ?? 1000)
  }

  /** Disconnects clients whose answers may wait. For any other client, waiting is a failure. */
  #giveUp(): void {
    for (const client of this.#clients) {
      if (!client.isPending) continue
      if (!mayWait.has(client.waitsFor)) {
        throw new FuzzError(`no answer for ${patienceMs} ms: ${describe(client)}`)
      }
      this.#figures.left++
      client.leave()
    }
  }

  async #connect(): Promise<FuzzClient> {
    const { network } = this.#broker
    const connection = await network.connect(address, 1000)
    return new FuzzClient(connection, {
      name: `memory:${++this.#connections}`,
      maxFrameBytes,
      observer: {
        answered: (api, body) => this.#figures.answered(api, body),
        settled: (client) => {
          this.#pending--
          if (client.input!.leaves) this.#figures.left++
        },
        failed: (client, problem) => {
          this.#failure ??= `${problem}: ${describe(client)}`
        },
      },
    })
  }

  /** Checks that the log has a reason for every connection that the broker closed, and no error. */
  #readLog(): void {
    const { lines } = this.#broker.logger
    for (const { level, fields, message } of lines) {
      if (level === 'error') throw new FuzzError(`in the log: ${message} ${errorText(fields)}`)
      const { client, reason } = (fields ?? {}) as { client?: string; reason?: string }
      if (client && reason) this.#reasons.set(client, reason)
    }
    lines.length = 0
    for (const client of this.#clients) {
      if (!client.wasSentAway) continue
      const reason = this.#reasons.get(client.name)
      if (!reason) throw new FuzzError(`closed without a reason in the log: ${describe(client)}`)
      this.#reasons.delete(client.name)
      this.#figures.closed(reason)
    }
    this.#clients.splice(0, this.#clients.length, ...this.#clients.filter((each) => !each.isClosed))
  }

  /**
   * Checks that a broker without clients has no memory in use for them, and that its logs open
   * again, also after a loss of power.
   */
  async #comeBack(): Promise<void> {
    for (const client of this.#clients) client.leave()
    await settle()
    for (const name of figuresOfClients) {
      const left = await this.#broker.metric(`millrace_broker_${name}`)
      if (left !== 0) throw new FuzzError(`${name} is ${left} after all clients have disconnected`)
    }
    this.#clients.length = 0
    if (this.#random.below(2) === 0) {
      await this.#broker.crash()
      this.#connections = 0
    } else {
      await this.#broker.broker.close()
      await this.#broker.start()
    }
    this.#figures.restarts++
    await this.#probe()
    this.#readLog()
  }
}

function describe(client: FuzzClient): string {
  const bytes = Buffer.concat(client.input!.chunks)
  return `it waits for ${client.waitsFor}, after ${bytes.length} bytes: ${bytes.toString('hex').slice(0, 2000)}`
}

function errorText(fields: object | undefined): string {
  const { error, ...others } = (fields ?? {}) as { error?: Error }
  return `${error?.stack ?? ''} ${JSON.stringify(others)}`
}

let collect: (() => void) | undefined

/**
 * Returns the memory in use after a garbage collection. The memory of buffers is released a turn
 * later.
 */
async function collectedBytes(): Promise<number> {
  if (!collect) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  for (let times = 0; times < 2; times++) {
    collect()
    await settle()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
