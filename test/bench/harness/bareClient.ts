// A client of bareServer.ts that behaves as the benchmark clients of brokers do: the same bytes,
// the same number of bytes in flight, an answer for stored bytes.

import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Work } from './measure.ts'
import type { OrderBatches } from './orderBatches.ts'
import type { OrderFile } from './orderFile.ts'
import type { Throughput } from './row.ts'

/** Size of an answer, a float64. */
const answerBytes = 8
const fileChunkBytes = 512 * 1024
/** As many chunks as an agent's sink has sends in flight. */
const fileWindowBytes = 5 * fileChunkBytes

/** Sends batches, at most `inFlight` of them unanswered, until it is over. */
export function sendBatches(port: number, orders: OrderBatches, inFlight: number): Work {
  return async (isOver) => {
    const server = await StoringServer.connect(port, inFlight * orders.batches[0]!.length)
    for (let next = 0; !isOver(server.stored); next++) {
      await server.send(orders.batches[next % orders.batches.length]!)
    }
    const bytes = await server.close()
    return { bytes, records: bytes / orders.bytesPerRecord }
  }
}

/** Sends a whole file, and waits until all of it is stored. */
export async function sendFile(port: number, orders: OrderFile): Promise<Throughput> {
  const startMs = performance.now()
  const server = await StoringServer.connect(port, fileWindowBytes)
  const chunks = createReadStream(orders.path, { highWaterMark: fileChunkBytes })
  for await (const chunk of chunks) await server.send(chunk as Buffer)
  const bytes = await server.close()
  return { bytes, records: orders.lines, seconds: (performance.now() - startMs) / 1000 }
}

/**
 * A connection to `bareServer.ts write`, with a limit on the bytes that are sent and not stored
 * yet.
 */
class StoringServer {
  /** Bytes that the server has reported as stored. */
  stored = 0
  readonly #socket: Socket
  readonly #windowBytes: number
  #sent = 0
  #answers = Buffer.alloc(0)
  #wake = () => {}

  static async connect(port: number, windowBytes: number): Promise<StoringServer> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new StoringServer(socket, windowBytes)
  }

  private constructor(socket: Socket, windowBytes: number) {
    this.#socket = socket
    this.#windowBytes = windowBytes
    socket.on('data', (chunk) => this.#answered(chunk))
  }

  async send(chunk: Buffer): Promise<void> {
    while (this.#sent + chunk.length - this.stored > this.#windowBytes) await this.#nextAnswer()
    this.#socket.write(chunk)
    this.#sent += chunk.length
  }

  /** Waits until everything is stored; returns how many bytes that is. */
  async close(): Promise<number> {
    while (this.stored < this.#sent) await this.#nextAnswer()
    this.#socket.destroy()
    return this.stored
  }

  /** Only the last whole answer counts: each has the total so far. */
  #answered(chunk: Buffer): void {
    this.#answers = Buffer.concat([this.#answers, chunk])
    const whole = this.#answers.length - (this.#answers.length % answerBytes)
    if (whole === 0) return
    this.stored = this.#answers.readDoubleBE(whole - answerBytes)
    this.#answers = this.#answers.subarray(whole)
    this.#wake()
  }

  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/** Receives the file from its start again and again, until it is over. */
export function receiveFile(port: number, bytesPerRecord: number): Work {
  return async (isOver) => {
    let bytes = 0
    while (!isOver(bytes)) {
      const socket = connect({ port, host: '127.0.0.1' })
      for await (const chunk of socket) {
        bytes += chunk.length
        if (isOver(bytes)) break
      }
      socket.destroy()
    }
    return { bytes, records: bytes / bytesPerRecord }
  }
}
