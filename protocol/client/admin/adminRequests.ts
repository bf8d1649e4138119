// How the requests of an administrator reach the brokers that can answer them. A request for several things
// is split by the broker that has each (a leader, a coordinator), and what a broker turned away for a reason
// that may pass is sent again, alone, until the time is up.

import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { NetworkError } from '../../runtime/network.ts'
import type { Outcome } from '../adminApi.ts'
import type { Cluster } from '../cluster.ts'
import type { KafkaConnection } from '../connection.ts'

export interface Routing<Item, Answer extends Outcome> {
  /** Fails with a KafkaError that becomes the item's outcome, or that may pass. */
  readonly route: (item: Item) => Promise<KafkaConnection>
  /** One answer for each item, in their order. */
  readonly ask: (connection: KafkaConnection, items: readonly Item[]) => Promise<readonly Answer[]>
  /** The answer for an item that no broker answered. */
  readonly failed: (item: Item, outcome: Outcome) => Answer
  /**
   * Whether a broker's answer with this code may be another one after a while, or from another broker.
   */
  readonly mayPass: (errorCode: number) => boolean
  /** The same of a failure of `route`. */
  readonly routeMayPass: (errorCode: number) => boolean
  /** Forgets where the item was last sent. */
  readonly forget: (item: Item) => void
  readonly itemsPerRequest?: number
}

export const success: Outcome = { errorCode: ErrorCode.none, errorMessage: null }

/** Bounds what one answer can hold, and what waits for one connection. */
const defaultItemsPerRequest = 500
/** Coordinators are looked up so many at a time. */
const routedAtOnce = 64

export class AdminRequests {
  readonly cluster: Cluster
  readonly #timeoutMs: number

  constructor(cluster: Cluster, timeoutMs: number) {
    this.cluster = cluster
    this.#timeoutMs = timeoutMs
  }

  /** What brokers may take for a request that they answer only when it is carried out. */
  get requestTimeoutMs(): number {
    return this.cluster.requestTimeoutMs
  }

  retrying<T>(attempt: () => Promise<T>): Promise<T> {
    return this.cluster.retrying(this.#timeoutMs, attempt)
  }

  /**
   * The broker that changes topics. Brokers before Kafka 3.3 may turn away what only the controller can
   * do; all newer ones hand it on.
   */
  async controller(): Promise<KafkaConnection> {
    const { controllerId } = await this.cluster.brokers()
    return controllerId < 0 ? await this.cluster.any() : await this.cluster.broker(controllerId)
  }

  /** Asks each of these brokers, all of them unless given; one that fails is tried again by itself. */
  async ofBrokers<T>(
    ask: (connection: KafkaConnection, nodeId: number) => Promise<T>,
    brokers?: readonly number[],
  ): Promise<{ readonly nodeId: number; readonly answer: PromiseSettledResult<T> }[]> {
    const ids = brokers ?? (await this.#brokerIds())
    const answers = await Promise.allSettled(
      ids.map((id) => this.retrying(async () => await ask(await this.cluster.broker(id), id))),
    )
    return answers.map((answer, index) => ({ nodeId: ids[index]!, answer }))
  }

  /** Answers for all items, in their order. */
  async ofEach<Item, Answer extends Outcome>(
    items: readonly Item[],
    routing: Routing<Item, Answer>,
  ): Promise<Answer[]> {
    const { clock } = this.cluster.runtime
    const backoff = this.cluster.newBackoff()
    const deadlineMs = clock.monotonicMs() + this.#timeoutMs
    const answers = new Map<Item, Answer>()
    let pending = [...new Set(items)]
    for (;;) {
      const again: Item[] = []
      for (const { item, answer, mayPass } of await answered(pending, routing)) {
        answers.set(item, answer)
        if (mayPass) again.push(item)
      }
      pending = again
      const delayMs = backoff.failed()
      if (pending.length === 0 || clock.monotonicMs() + delayMs > deadlineMs) break
      for (const item of pending) routing.forget(item)
      await this.cluster.pause(delayMs)
    }
    return items.map((item) => answers.get(item)!)
  }

  async #brokerIds(): Promise<number[]> {
    const { brokers } = await this.retrying(() => this.cluster.brokers())
    return brokers.map(({ nodeId }) => nodeId).sort((one, other) => one - other)
  }
}

/** A failure as an outcome of what was asked for. Throws what is no failure of a broker or the network. */
export function outcomeOf(error: unknown): Outcome {
  if (error instanceof KafkaError) {
    return { errorCode: error.errorCode, errorMessage: error.detail ?? null }
  }
  if (error instanceof NetworkError) {
    return { errorCode: ErrorCode.networkException, errorMessage: error.message }
  }
  throw error
}

/** Codes that a new connection and a little patience may cure, whatever was asked for. */
function isPassingTrouble(errorCode: number): boolean {
  return errorCode === ErrorCode.networkException || errorCode === ErrorCode.requestTimedOut
}

export function throwUnlessNone(errorCode: number, detail: string | null | undefined): void {
  if (errorCode !== ErrorCode.none) throw new KafkaError(errorCode, detail ?? undefined)
}

interface Answered<Item, Answer> {
  readonly item: Item
  readonly answer: Answer
  readonly mayPass: boolean
}

/** One round: each item with its answer, or with the failure of its broker. */
async function answered<Item, Answer extends Outcome>(
  items: readonly Item[],
  routing: Routing<Item, Answer>,
): Promise<Answered<Item, Answer>[]> {
  const { byBroker, unrouted } = await routed(items, routing)
  const asked = [...byBroker].map(([connection, its]) => askInChunks(connection, its, routing))
  return [...unrouted, ...(await Promise.all(asked)).flat()]
}

async function routed<Item, Answer extends Outcome>(
  items: readonly Item[],
  { route, failed, routeMayPass }: Routing<Item, Answer>,
) {
  const byBroker = new Map<KafkaConnection, Item[]>()
  const unrouted: Answered<Item, Answer>[] = []
  const routeOne = async (item: Item) => {
    try {
      const connection = await route(item)
      const its = byBroker.get(connection)
      if (its === undefined) byBroker.set(connection, [item])
      else its.push(item)
    } catch (error) {
      const outcome = outcomeOf(error)
      const mayPass = isPassingTrouble(outcome.errorCode) || routeMayPass(outcome.errorCode)
      unrouted.push({ item, answer: failed(item, outcome), mayPass })
    }
  }
  for (const chunk of chunks(items, routedAtOnce)) await Promise.all(chunk.map(routeOne))
  return { byBroker, unrouted }
}

/** One request after another, so that a broker holds no more than one large answer for this client. */
async function askInChunks<Item, Answer extends Outcome>(
  connection: KafkaConnection,
  items: readonly Item[],
  { ask, failed, mayPass, itemsPerRequest = defaultItemsPerRequest }: Routing<Item, Answer>,
): Promise<Answered<Item, Answer>[]> {
  const result: Answered<Item, Answer>[] = []
  for (const chunk of chunks(items, itemsPerRequest)) {
    const answers = await ask(connection, chunk).catch((error) => {
      const outcome = outcomeOf(error)
      return chunk.map((item) => failed(item, outcome))
    })
    for (const [index, item] of chunk.entries()) {
      const answer = answers[index]!
      const again = isPassingTrouble(answer.errorCode) || mayPass(answer.errorCode)
      result.push({ item, answer, mayPass: again })
    }
  }
  return result
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  const result: T[][] = []
  for (let from = 0; from < all.length; from += size) result.push(all.slice(from, from + size))
  return result
}
