// What an operator does with the `nats` command, or a fault does to the streams.

import {
  connectNats,
  type NatsLink,
} from '../../../../../protocol/coordination/log/nats/natsLink.ts'
import { systemRandom } from '../../../../../protocol/runtime/random.ts'
import { systemClock } from '../../../../../protocol/runtime/time/clock.ts'
import { until } from '../../../../eventLoop.ts'

export class StreamAdmin {
  readonly link: NatsLink

  private constructor(link: NatsLink) {
    this.link = link
  }

  static async connect(addresses: readonly string[]): Promise<StreamAdmin> {
    const dependencies = { clock: systemClock, random: systemRandom() }
    return new StreamAdmin(await connectNats({ servers: addresses }, dependencies))
  }

  async delete(stream: string): Promise<void> {
    await this.link.api('delete a stream', (streams) => streams.delete(stream))
  }

  /** The index of the server that leads a stream, when it has a leader. */
  async leader(stream: string): Promise<number> {
    let name: string | undefined
    await until(async () => {
      try {
        const info = await this.link.api('look at a stream', (streams) => streams.info(stream))
        name = info.cluster?.leader
      } catch (error) {
        if (!(error instanceof Error && 'code' in error)) throw error
      }
      return name !== undefined && name !== ''
    })
    return Number(name!.slice(1))
  }

  async close(): Promise<void> {
    await this.link.close()
  }
}
