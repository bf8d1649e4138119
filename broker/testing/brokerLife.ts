// One run of a test broker, from start to stop: the real broker behind a TCP port, and the test's
// own client inside the process, which needs no socket and is not affected by faults.

import { Admin } from '../../protocol/client/admin.ts'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../protocol/client/producer/producer.ts'
import { memoryNetwork } from '../../protocol/runtime/network/memoryNetwork.ts'
import type { Address } from '../../protocol/runtime/network/network.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { systemRandom } from '../../protocol/runtime/random.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import { systemScheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import { type Broker, startBroker } from '../broker.ts'
import type { LogManager } from '../log/logManager.ts'
import type { BrokerParts, TestHooks } from '../server/request/requestContext.ts'
import type { Storage } from './storage.ts'
import type { TestBrokerPlan } from './testBrokerOptions.ts'

/** Address that the test's own client connects to. */
export const innerAddress: Address = { host: 'inside-the-test', port: 1 }
const requestTimeoutMs = 30_000

export interface LifeOptions {
  readonly plan: TestBrokerPlan
  readonly storage: Storage
  readonly clock: Clock
  /** Handles the requests of clients; requests of the test's own client bypass it. */
  readonly handle: TestHooks['handle']
  /** Address for clients; port 0 takes a free one. */
  readonly address: Address
}

export class BrokerLife {
  readonly broker: Broker
  readonly cluster: Cluster
  readonly admin: Admin
  #producer: Producer | undefined

  readonly #runtime: Pick<Runtime, 'clock' | 'random'>

  /** The broker's components that no client can reach. */
  readonly parts: BrokerParts
  readonly #logs: LogManager

  private constructor(
    broker: Broker,
    cluster: Cluster,
    runtime: Pick<Runtime, 'clock' | 'random'>,
    inner: { readonly parts: BrokerParts; readonly logs: LogManager },
  ) {
    this.broker = broker
    this.cluster = cluster
    this.#runtime = runtime
    this.parts = inner.parts
    this.#logs = inner.logs
    this.admin = new Admin(cluster, requestTimeoutMs)
  }

  static async start({ plan, storage, clock, handle, address }: LifeOptions): Promise<BrokerLife> {
    let inner: { readonly parts: BrokerParts; readonly logs: LogManager } | undefined
    const inside = memoryNetwork({ scheduler: systemScheduler })
    const random = systemRandom()
    const broker = await startBroker({
      runtime: {
        clock,
        random,
        disk: storage.disk,
        network: tcpNetwork,
        scheduler: systemScheduler,
      },
      logger: plan.logger,
      config: plan.config,
      listeners: [
        { name: 'PLAINTEXT', network: tcpNetwork, address },
        { name: 'TEST', network: inside, address: innerAddress },
      ],
      openStore: storage.openStore,
      testHooks: {
        opened: (parts, logs) => {
          inner = { parts, logs }
        },
        handle: (api, request, context, handleIt) =>
          context.advertised.host === innerAddress.host
            ? handleIt(request)
            : handle(api, request, context, handleIt),
      },
    })
    const cluster = new Cluster(
      { clock, random, network: inside, scheduler: systemScheduler },
      {
        bootstrap: [innerAddress],
        clientId: 'millrace/testing',
        requestTimeoutMs,
        retryBackoffMs: 5,
        retryBackoffMaxMs: 50,
        allowAutoTopicCreation: false,
      },
    )
    return new BrokerLife(broker, cluster, { clock, random }, inner!)
  }

  /** The bound address for clients. */
  get address(): Address {
    return this.broker.listeners[0]!.address
  }

  hasTopic(topic: string): boolean {
    return this.parts.controller.state.topic(topic) !== undefined
  }

  /** Created on first use. */
  get producer(): Producer {
    // Not idempotent: records produced by the test must not use up a producer id.
    this.#producer ??= new Producer(this.cluster, this.#runtime, { lingerMs: 0, acks: 1 })
    return this.#producer
  }

  /** Checks the free disk space now, instead of at the next interval. */
  checkSpace(): Promise<void> {
    return this.#logs.checkSpace()
  }

  /** Disconnects all clients, the test's own first. */
  async close(): Promise<void> {
    await this.cluster.close()
    await this.#producer?.close()
    await this.broker.close()
  }
}
