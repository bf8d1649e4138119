// A connection that sends whole encoded requests and counts answers: minimal work on the side of
// the client, so that a benchmark of brokers measures brokers. Kafka answers in order, so an answer
// belongs to the oldest pending request.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { FrameSplitter } from '../../../protocol/kafka/frame.ts'
import type { Address } from '../../../protocol/runtime/network/network.ts'

const maxFrameBytes = 256 * 1024 * 1024

export class RawConnection {
  readonly #socket: Socket
  readonly #splitter = new FrameSplitter(maxFrameBytes)
  readonly #waiting: { resolve: (answer: Buffer) => void; reject: (error: Error) => void }[] = []

  static async connect({ host, port }: Address): Promise<RawConnection> {
    const socket = connect({ host, port, noDelay: true })
    await once(socket, 'connect')
    return new RawConnection(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      for (const frame of this.#splitter.push(chunk)) this.#waiting.shift()!.resolve(frame)
    })
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the broker closed the connection')))
  }

  /** Sends one request frame; resolves with its answer, without the length. */
  request(chunks: readonly Buffer[]): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#socket.cork()
      for (const chunk of chunks) this.#socket.write(chunk)
      this.#socket.uncork()
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
