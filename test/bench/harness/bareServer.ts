// The baseline for a broker: a TCP server in its own process that only moves bytes.
//
//   node bareServer.ts write FILE group|os   appends all received bytes to FILE; answers with the
//                                            number of bytes of the connection that are stored
//                                            so far (float64), synced first with `group`
//   node bareServer.ts send FILE             sends the whole FILE to each client
//
// It prints `:PORT` when it is ready and ends at SIGTERM.

import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'

const [mode, path = '', flush] = process.argv.slice(2)

/** Limit on bytes received and not answered: beyond it the socket is not read. */
const maxPendingBytes = 32 * 1024 * 1024

async function writeAll(socket: Socket): Promise<void> {
  const file = await open(path, 'a')
  let stored = 0
  let pending: Buffer[] = []
  let pendingBytes = 0
  let wake = () => {}
  let isOpen = true
  socket.on('data', (chunk: Buffer) => {
    pending.push(chunk)
    pendingBytes += chunk.length
    if (pendingBytes > maxPendingBytes) socket.pause()
    wake()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    isOpen = false
    wake()
  })
  while (isOpen) {
    if (pending.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      continue
    }
    const chunks = pending.splice(0, 1024)
    if (pending.length === 0) pending = []
    stored += (await file.writev(chunks)).bytesWritten
    if (flush === 'group') await file.datasync()
    pendingBytes = pending.reduce((sum, chunk) => sum + chunk.length, 0)
    if (pendingBytes <= maxPendingBytes) socket.resume()
    const answer = Buffer.alloc(8)
    answer.writeDoubleBE(stored)
    if (isOpen) socket.write(answer)
  }
  await file.close()
}

async function sendAll(socket: Socket): Promise<void> {
  // The client closes the connection when it has enough; that is not a failure, even after the
  // pipeline has ended.
  socket.on('error', () => {})
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), socket).catch(() => {})
}

const server = createServer({ noDelay: true }, mode === 'write' ? writeAll : sendAll)
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP address')
  process.stdout.write(`:${address.port}\n`)
})
process.once('SIGTERM', () => process.exit(0))
