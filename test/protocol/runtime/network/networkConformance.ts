// The conformance suite of Network. Each implementation's test file runs this whole suite, so that
// code tested over memory can be trusted over TCP and the other way round.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Connection,
  type ConnectionHandler,
  type Listener,
  type Network,
  NetworkError,
} from '../../../../protocol/runtime/network/network.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { until } from '../../../eventLoop.ts'

export interface NetworkUnderTest {
  /** The network in which connections are opened. */
  readonly client: Network
  /** The network in which they are accepted; the same as `client` unless that can only connect. */
  readonly server: Network
  close(): void
}

const loopback = { host: '127.0.0.1', port: 0 }
const timeoutMs = 5000

/** Records the callbacks of a connection, and lets a test wait for them. */
class Recorder implements ConnectionHandler {
  readonly chunks: Buffer[] = []
  bytes = 0
  drains = 0
  closes: (Error | undefined)[] = []
  #waiting: { done: () => boolean; resolve: () => void }[] = []

  onData(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.bytes += chunk.length
    this.#check()
  }
  onDrain(): void {
    this.drains++
    this.#check()
  }
  onClose(cause?: Error): void {
    this.closes.push(cause)
    this.#check()
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }
  until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ done, resolve })
      this.#check()
    })
  }
  #check(): void {
    this.#waiting = this.#waiting.filter(({ done, resolve }) => {
      if (!done()) return true
      resolve()
      return false
    })
  }
}

export function networkConformance(name: string, make: () => NetworkUnderTest): void {
  describe(`${name} is a Network`, () => {
    let network: NetworkUnderTest
    let listener: Listener | undefined
    let opened: Connection[] = []

    beforeEach(() => {
      network = make()
    })
    afterEach(async () => {
      for (const connection of opened) connection.destroy()
      opened = []
      await listener?.close()
      listener = undefined
      network.close()
    })

    async function pair(): Promise<{ client: Connection; server: Connection }> {
      const accepted = Promise.withResolvers<Connection>()
      listener = await network.server.listen(loopback, accepted.resolve)
      const client = await network.client.connect(listener.address, timeoutMs)
      const server = await accepted.promise
      opened.push(client, server)
      return { client, server }
    }

    async function startedPair() {
      const { client, server } = await pair()
      const [atClient, atServer] = [new Recorder(), new Recorder()]
      client.start(atClient)
      server.start(atServer)
      return { client, server, atClient, atServer }
    }

    test('calls `taken` once bytes are taken, and when they are dropped', async () => {
      const { client, server } = await pair()
      const receiver = new Recorder()
      const receipts: string[] = []
      client.start(new Recorder())
      client.write([Buffer.from('a'), Buffer.alloc(3_000_000)], () => receipts.push('first'))
      client.write([Buffer.alloc(3_000_000)], () => receipts.push('second'))
      expect(receipts).toEqual([])
      server.start(receiver)
      await receiver.until(() => receiver.bytes === 6_000_001)
      await until(() => receipts.length === 2)
      expect(receipts).toEqual(['first', 'second'])
      server.pause()
      client.write([Buffer.alloc(30_000_000)], () => receipts.push('dropped'))
      client.destroy()
      await until(() => receipts.length === 3)
      client.write([Buffer.from('late')], () => receipts.push('late'))
      await until(() => receipts.length === 4)
    })

    test('bytes arrive in the order in which they were written, both ways', async () => {
      const { client, server, atClient, atServer } = await startedPair()
      client.write([Buffer.from('one '), Buffer.from('two ')])
      client.write([])
      client.write([Buffer.from('three'), Buffer.alloc(0)])
      server.write([Buffer.from('answer')])
      await atServer.until(() => atServer.bytes === 13)
      await atClient.until(() => atClient.bytes === 6)
      expect(atServer.text).toBe('one two three')
      expect(atClient.text).toBe('answer')
    })

    test('megabytes in chunks of odd sizes arrive complete', async () => {
      const { client, atServer } = await startedPair()
      const random = seededRandom(7)
      const sent: Buffer[] = []
      let total = 0
      while (total < 5_000_000) {
        const chunk = Buffer.alloc(1 + random.below(200_000), random.below(256))
        sent.push(chunk)
        total += chunk.length
        client.write([chunk])
      }
      await atServer.until(() => atServer.bytes === total)
      expect(Buffer.concat(atServer.chunks).equals(Buffer.concat(sent))).toBe(true)
    })

    test('the writer keeps its bytes, for a retry', async () => {
      const { client, atServer } = await startedPair()
      const kept = Buffer.from(new Uint8Array(1000).fill(7).buffer)
      client.write([kept])
      client.write([kept])
      await atServer.until(() => atServer.bytes === 2000)
      expect(kept.length).toBe(1000)
      expect(Buffer.concat(atServer.chunks).every((byte) => byte === 7)).toBe(true)
    })

    test('bytes written before the other side starts wait for it', async () => {
      const { client, server } = await pair()
      client.start(new Recorder())
      client.write([Buffer.from('early')])
      const atServer = new Recorder()
      server.start(atServer)
      await atServer.until(() => atServer.bytes === 5)
      expect(atServer.text).toBe('early')
    })

    test('nothing is delivered within the call that wrote it', async () => {
      const { client, atServer } = await startedPair()
      client.write([Buffer.from('x')])
      expect(atServer.bytes).toBe(0)
      await atServer.until(() => atServer.bytes === 1)
    })

    test('a paused reader makes writes return false; resuming drains without loss', async () => {
      const { client, server, atClient, atServer } = await startedPair()
      server.pause()
      const chunk = Buffer.alloc(64 * 1024, 1)
      let written = 0
      // The operating system buffers some megabytes before TCP applies backpressure.
      while (written < 256 * 1024 * 1024) {
        written += chunk.length
        if (!client.write([chunk])) break
      }
      expect(written).toBeLessThan(256 * 1024 * 1024)
      expect(client.bufferedBytes).toBeGreaterThan(0)
      server.resume()
      await atClient.until(() => atClient.drains > 0)
      await atServer.until(() => atServer.bytes === written)
      expect(client.write([chunk])).toBe(true)
    })

    test('a paused reader receives nothing until it resumes', async () => {
      const { client, server, atServer } = await startedPair()
      client.write([Buffer.from('a')])
      await atServer.until(() => atServer.bytes === 1)
      server.pause()
      client.write([Buffer.from('b')])
      // Opening another connection gives the bytes enough time to arrive by mistake.
      const second = await network.client.connect(listener!.address, timeoutMs)
      opened.push(second)
      expect(atServer.bytes).toBe(1)
      server.resume()
      await atServer.until(() => atServer.bytes === 2)
      expect(atServer.text).toBe('ab')
    })

    test('pausing inside onData stops at that chunk', async () => {
      const { client, server } = await pair()
      client.start(new Recorder())
      const recorder = new Recorder()
      server.start({
        onData(chunk) {
          server.pause()
          recorder.onData(chunk)
          systemScheduler.soon(() => server.resume())
        },
        onDrain: () => recorder.onDrain(),
        onClose: (cause) => recorder.onClose(cause),
      })
      for (let at = 0; at < 10; at++) client.write([Buffer.from(String(at))])
      await recorder.until(() => recorder.bytes === 10)
      expect(recorder.text).toBe('0123456789')
    })

    test('end sends the queued bytes, then closes both sides without a cause', async () => {
      const { client, server, atClient, atServer } = await startedPair()
      const big = Buffer.alloc(3_000_000, 5)
      client.write([big])
      client.end()
      expect(client.write([Buffer.from('too late')])).toBe(false)
      await atServer.until(() => atServer.closes.length > 0)
      await atClient.until(() => atClient.closes.length > 0)
      expect(atServer.bytes).toBe(big.length)
      expect(atServer.closes).toEqual([undefined])
      expect(atClient.closes).toEqual([undefined])
      expect(server.write([Buffer.from('x')])).toBe(false)
    })

    test('bytes queued by the other side still arrive after an end', async () => {
      const { client, server, atClient, atServer } = await startedPair()
      server.write([Buffer.alloc(2_000_000, 1)])
      client.end()
      await atClient.until(() => atClient.closes.length > 0)
      expect(atClient.bytes).toBe(2_000_000)
      await atServer.until(() => atServer.closes.length > 0)
    })

    test('destroy closes both sides once, with the cause on its own side', async () => {
      const { client, atClient, atServer } = await startedPair()
      const reason = new Error('enough')
      client.destroy(reason)
      client.destroy()
      expect(atClient.closes).toEqual([])
      await atClient.until(() => atClient.closes.length > 0)
      await atServer.until(() => atServer.closes.length > 0)
      expect(atClient.closes).toEqual([reason])
      expect(atServer.closes).toHaveLength(1)
      expect(client.write([Buffer.from('x')])).toBe(false)
    })

    test('a connection destroyed during a delivery delivers nothing more and closes once', async () => {
      const { client, server } = await pair()
      const [atClient, recorder] = [new Recorder(), new Recorder()]
      client.start(atClient)
      server.start({
        onData(chunk) {
          recorder.onData(chunk)
          server.destroy()
        },
        onDrain: () => recorder.onDrain(),
        onClose: (cause) => recorder.onClose(cause),
      })
      for (let at = 0; at < 5; at++) client.write([Buffer.from('x'), Buffer.alloc(100_000)])
      await recorder.until(() => recorder.closes.length > 0)
      await atClient.until(() => atClient.closes.length > 0)
      expect(recorder.chunks).toHaveLength(1)
      expect(recorder.closes).toEqual([undefined])
    })

    test('a connection that broke before start calls onClose after it', async () => {
      const { client, server } = await pair()
      server.destroy()
      const atClient = new Recorder()
      client.start(atClient)
      await atClient.until(() => atClient.closes.length > 0)
      expect(atClient.closes).toHaveLength(1)
    })

    test('connecting without a listener is refused, with what to check', async () => {
      const gone = await network.server.listen(loopback, () => {})
      await gone.close()
      const failure = await network.client.connect(gone.address, timeoutMs).catch((error) => error)
      expect(failure).toBeInstanceOf(NetworkError)
      expect(failure.code).toBe('CONNECTION_REFUSED')
      expect(failure.message).toContain(`127.0.0.1:${gone.address.port}`)
      expect(failure.message).toContain('check')
    })

    test('listening on an address in use is refused, with the address', async () => {
      listener = await network.server.listen(loopback, () => {})
      const failure = await network.server
        .listen(listener.address, () => {})
        .catch((error) => error)
      expect(failure).toBeInstanceOf(NetworkError)
      expect(failure.code).toBe('ADDRESS_IN_USE')
      expect(failure.message).toContain(`127.0.0.1:${listener.address.port}`)
    })

    test('closing the listener leaves connections open and frees the address', async () => {
      const { client, atServer } = await startedPair()
      const address = listener!.address
      await listener!.close()
      client.write([Buffer.from('still here')])
      await atServer.until(() => atServer.bytes === 10)
      listener = await network.server.listen(address, () => {})
      expect(listener.address).toEqual(address)
    })

    test('concurrent connections do not mix their bytes', async () => {
      const received: Recorder[] = []
      listener = await network.server.listen(loopback, (connection) => {
        const recorder = new Recorder()
        received.push(recorder)
        connection.start(recorder)
        opened.push(connection)
      })
      const address = listener.address
      const clients = await Promise.all(
        Array.from({ length: 20 }, () => network.client.connect(address, timeoutMs)),
      )
      for (const [index, client] of clients.entries()) {
        const recorder = new Recorder()
        client.start(recorder)
        client.write([Buffer.from(`client ${index}`)])
        client.end()
        await recorder.until(() => recorder.closes.length > 0)
      }
      expect(received.map((recorder) => recorder.text).sort()).toEqual(
        clients.map((_, index) => `client ${index}`).sort(),
      )
    })
  })
}
