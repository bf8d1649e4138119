// A client that sends inputs and checks the result: every whole frame has an answer, in order, that
// can be decoded in its version, or the connection is closed. Whether the reason for closing was
// logged is checked by the campaign.

import { ByteReader } from '../../protocol/bytes/reader.ts'
import { apiVersions } from '../../protocol/kafka/apis/apiVersions.ts'
import { decodeResponse, encodeRequest, FrameSplitter } from '../../protocol/kafka/frame.ts'
import type { Connection } from '../../protocol/runtime/network/network.ts'
import { type Input, readStream, type SentFrame, type SentStream } from './input.ts'

const sentinelId = 0x5e17

export interface ClientObserver {
  answered(api: string, body: unknown): void
  /** Called once for each input, when nothing more can follow from it. */
  settled(client: FuzzClient): void
  failed(client: FuzzClient, problem: string): void
}

export class FuzzClient {
  /** The name of this connection in the broker's log. */
  readonly name: string
  readonly #connection: Connection
  readonly #observer: ClientObserver
  readonly #splitter = new FrameSplitter(2 ** 30)
  readonly #maxFrameBytes: number
  #expected: SentFrame[] = []
  #rest: SentStream['rest'] = 'nothing'
  #isPending = false
  #isClosed = false
  #hasLeft = false
  input: Input | undefined

  constructor(
    connection: Connection,
    options: { name: string; maxFrameBytes: number; observer: ClientObserver },
  ) {
    this.#connection = connection
    this.name = options.name
    this.#maxFrameBytes = options.maxFrameBytes
    this.#observer = options.observer
    connection.start({
      onData: (chunk) => this.#receive(chunk),
      onDrain: () => {},
      onClose: () => this.#closed(),
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether the broker closed the connection. */
  get wasSentAway(): boolean {
    return this.#isClosed && !this.#hasLeft
  }

  get isPending(): boolean {
    return this.#isPending
  }

  /** The event that it waits for: the answer to a request, or the close. */
  get waitsFor(): string {
    const first = this.#expected[0]
    return first === undefined ? 'the end' : (first.api?.name ?? 'an unknown API')
  }

  send(input: Input): void {
    const stream = readStream(Buffer.concat(input.chunks), this.#maxFrameBytes)
    this.input = input
    this.#isPending = true
    this.#expected = stream.frames.filter(({ isSilent }) => !isSilent)
    this.#rest = stream.rest
    for (const chunk of input.chunks) this.#connection.write([chunk])
    if (input.leaves) {
      this.leave()
    } else {
      if (stream.rest === 'nothing' && stream.frames.at(-1)?.isSilent) this.#sendSentinel()
      this.#settleWhenDone()
    }
  }

  leave(): void {
    if (this.#isClosed) return
    this.#hasLeft = true
    this.#isClosed = true
    this.#connection.destroy()
    this.#settle()
  }

  /** A request without an answer is done when a later request is answered. */
  #sendSentinel(): void {
    const header = { correlationId: sentinelId, clientId: null }
    this.#connection.write(encodeRequest(apiVersions, 0, header, {}))
    this.#expected.push({
      correlationId: sentinelId,
      api: apiVersions,
      version: 0,
      isSilent: false,
    })
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosed) return
    try {
      for (const frame of this.#splitter.push(chunk)) this.#judge(frame)
    } catch (error) {
      this.#observer.failed(this, `its answer cannot be read: ${error}`)
    }
    this.#settleWhenDone()
  }

  #judge(frame: Buffer): void {
    const expected = this.#expected.shift()
    if (expected?.api === undefined) {
      this.#observer.failed(this, 'an answer to nothing')
      return
    }
    const { api, correlationId } = expected
    const isKnown = expected.version >= 0 && expected.version <= api.maxVersion
    const version = isKnown || api.key !== apiVersions.key ? expected.version : 0
    const answer = decodeResponse(api, version, new ByteReader(frame))
    if (answer.correlationId !== correlationId) {
      this.#observer.failed(this, `answer ${answer.correlationId} in place of ${correlationId}`)
    }
    this.#observer.answered(api.name, answer.body)
  }

  #settleWhenDone(): void {
    if (this.#expected.length === 0 && this.#rest === 'nothing') this.#settle()
  }

  #closed(): void {
    this.#isClosed = true
    this.#settle()
  }

  #settle(): void {
    if (!this.#isPending) return
    this.#isPending = false
    this.#observer.settled(this)
  }
}
