// Routes admin requests to the brokers that can answer them. A request for several items is split
// by the responsible broker (leader or coordinator); items that a broker refused with a retriable
// error are retried separately until the timeout.

import { ErrorCode, KafkaError } from '../../kafka/errors.ts'
import { NetworkError } from '../../runtime/network/network.ts'
import type { Outcome } from '../adminApi.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../cluster/connection.ts'

export interface Routing<Item, Answer extends Outcome> {
  /** Fails with a KafkaError, which becomes the outcome of the item or is retried. */
  readonly route: (item: Item) => Promise<KafkaConnection>
  /** Returns one answer per item, in their order. */
  readonly ask: (connection: KafkaConnection, items: readonly Item[]) => Promise<readonly Answer[]>
  /** The answer for an item that no broker answered. */
  readonly failed: (item: Item, outcome: Outcome) => Answer
  /** Whether a broker's error may go away after a while, or on another broker. */
  readonly mayPass: (errorCode: number) => boolean
  /** Whether a failure of `route` may go away. */
  readonly routeMayPass: (errorCode: number) => boolean
  /** Drops the cached route of the item. */
  readonly forget: (item: Item) => void
  readonly itemsPerRequest?: number
}

export const success: Outcome = { errorCode: ErrorCode.none, errorMessage: null }

/** Bounds the size of one response, and the wait for one connection. */
const defaultItemsPerRequest = 500
/** Maximum number of concurrent coordinator lookups. */
const routedAtOnce = 64

export class AdminRequests {
  readonly cluster: Cluster
  readonly #timeoutMs: number

  constructor(cluster: Cluster, timeoutMs: number) {
    this.cluster = cluster
    this.#timeoutMs = timeoutMs
  }

  /** Timeout that brokers may use for a request that they answer after it is carried out. */
  get requestTimeoutMs(): number {
    return this.cluster.requestTimeoutMs
  }

  retrying<T>(attempt: () => Promise<T>): Promise<T> {
    return this.cluster.retrying(this.#timeoutMs, attempt)
  }

  /**
   * Returns the controller. Brokers before Kafka 3.3 may refuse what only the controller can do;
   * newer ones forward it.
   */
  async controller(): Promise<KafkaConnection> {
    const { controllerId } = await this.cluster.brokers()
    return controllerId < 0 ? await this.cluster.any() : await this.cluster.broker(controllerId)
  }

  /** Sends a request to each broker (default: all); a failing broker is retried separately. */
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

  /** Returns the answers of all items, in their order. */
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

/**
 * Converts a failure into the outcome of its items. Rethrows anything that is not a failure of a
 * broker or the network.
 */
export function outcomeOf(error: unknown): Outcome {
  if (error instanceof KafkaError) {
    return { errorCode: error.errorCode, errorMessage: error.detail ?? null }
  }
  if (error instanceof NetworkError) {
    return { errorCode: ErrorCode.networkException, errorMessage: error.message }
  }
  throw error
}

/** Errors that a new connection and a retry may resolve, whatever was requested. */
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

/**
 * Sends requests sequentially, so that a broker holds at most one large response for this client.
 */
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
