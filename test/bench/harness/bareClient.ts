// Talks to bareServer.ts as the broker's benchmarks talk to a broker: the same bytes, the same number
// of bytes under way, an answer for what is stored.

import { once } from 'node:events'
import { connect } from 'node:net'
import type { Work } from './measure.ts'
import type { OrderBatches } from './orderBatches.ts'

/** Sends batches, at most `inFlight` of them unanswered, until it is over. */
export function sendBatches(port: number, orders: OrderBatches, inFlight: number): Work {
  return async (isOver) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    let stored = 0
    let answers = Buffer.alloc(0)
    let wake = () => {}
    socket.on('data', (chunk) => {
      answers = Buffer.concat([answers, chunk])
      const whole = answers.length - (answers.length % 8)
      if (whole === 0) return
      stored = answers.readDoubleBE(whole - 8)
      answers = answers.subarray(whole)
      wake()
    })
    const answered = () =>
      new Promise<void>((resolve) => {
        wake = resolve
      })
    let sent = 0
    const window = inFlight * orders.batches[0]!.length
    for (let next = 0; !isOver(stored); next++) {
      const batch = orders.batches[next % orders.batches.length]!
      while (sent + batch.length - stored > window) await answered()
      socket.write(batch)
      sent += batch.length
    }
    while (stored < sent) await answered()
    socket.destroy()
    return { bytes: stored, records: stored / orders.bytesPerRecord }
  }
}

/** Receives, from the start of the file again and again, until it is over. */
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
