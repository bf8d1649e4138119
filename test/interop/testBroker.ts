// A broker in this process, on a free port and with its own data directory, for tests over real
// sockets.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Broker, startBroker } from '../../broker/broker.ts'
import { type BrokerConfig, brokerConfig } from '../../broker/configuration/brokerOptions.ts'
import { tcpNetwork } from '../../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../../protocol/runtime/nodeRuntime.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'

export class TestBroker {
  readonly directory: string
  readonly #config: Partial<BrokerConfig>
  #broker: Broker | undefined
  #port = 0

  private constructor(directory: string, config: Partial<BrokerConfig>) {
    this.directory = directory
    this.#config = config
  }

  static async start(config: Partial<BrokerConfig> = {}): Promise<TestBroker> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-interop-'))
    const broker = new TestBroker(directory, config)
    await broker.#open()
    return broker
  }

  get broker(): Broker {
    return this.#broker!
  }

  get port(): number {
    return this.#port
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Restarts on the same port and the same data. */
  async restart(): Promise<void> {
    await this.pause()
    await this.resume()
  }

  /** Stops. `resume` starts again with the same port and data. */
  async pause(): Promise<void> {
    await this.#broker?.close()
  }

  async resume(): Promise<void> {
    await this.#open()
  }

  async stop(): Promise<void> {
    await this.#broker?.close()
    await rm(this.directory, { recursive: true, force: true })
  }

  async #open(): Promise<void> {
    this.#broker = await startBroker({
      runtime: nodeRuntime(tcpNetwork),
      logger: silentLogger,
      config: brokerConfig({
        'log.dir': this.directory,
        'group.initial.rebalance.delay.ms': 0,
        ...this.#config,
      }),
      listeners: [
        {
          name: 'PLAINTEXT',
          network: tcpNetwork,
          address: { host: '127.0.0.1', port: this.#port },
        },
      ],
    })
    this.#port = this.#broker.listeners[0]!.address.port
  }
}
