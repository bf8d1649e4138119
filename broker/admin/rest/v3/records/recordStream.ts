// Produces a stream of records and returns a stream of results in the same order, each as soon as
// it is known. Bounded: while too many records are in flight, or the client does not read its
// results, no more of its records are read.

import { RestError } from '../../restError.ts'
import type { JsonText, JsonTexts } from './jsonTexts.ts'
import { failedResult, type ProduceResult } from './produceResult.ts'
import type { RecordMemory } from './recordMemory.ts'

/** Most records in flight per request, and their bytes. */
const mostInFlight = 1_000
const mostInFlightBytes = 4 * 1024 * 1024
export const maxRecordBytes = 8 * 1024 * 1024

interface InFlight {
  readonly bytes: number
  readonly settled: Promise<void>
  result: ProduceResult | undefined
}

/**
 * Yields pieces of the response: results as JSON, one per line. Fails if the request's stream
 * fails. `memory` must be the one that `texts` takes from.
 */
export async function* resultsOf(
  chunks: AsyncIterable<Buffer>,
  texts: JsonTexts,
  memory: RecordMemory,
  produce: (text: Buffer) => Promise<ProduceResult>,
): AsyncGenerator<string> {
  const inFlight = new RecordsInFlight(memory, produce)
  const input = chunks[Symbol.asyncIterator]()
  let arriving: Promise<IteratorResult<Buffer>> | undefined
  let arrived: Iterator<JsonText> = texts.push(Buffer.alloc(0))
  let hasEnded = false
  try {
    for (;;) {
      const isAllRead = inFlight.takeFrom(arrived)
      const results = inFlight.results()
      if (results !== '') {
        yield results
        continue
      }
      if (!isAllRead || hasEnded) {
        if (inFlight.first === undefined) return
        await inFlight.first.settled
        continue
      }
      arriving ??= input.next()
      arriving.catch(() => {})
      const chunk = await Promise.race([arriving, inFlight.first?.settled ?? arriving])
      if (chunk === undefined) continue
      arriving = undefined
      hasEnded = chunk.done === true
      arrived = chunk.done === true ? texts.end() : texts.push(chunk.value)
    }
  } finally {
    texts.close()
    await input.return?.()
  }
}

class RecordsInFlight {
  readonly #memory: RecordMemory
  readonly #produce: (text: Buffer) => Promise<ProduceResult>
  readonly #records: InFlight[] = []
  #bytes = 0

  constructor(memory: RecordMemory, produce: (text: Buffer) => Promise<ProduceResult>) {
    this.#memory = memory
    this.#produce = produce
  }

  get first(): InFlight | undefined {
    return this.#records[0]
  }

  /** Produces texts while the bounds permit; returns true when there are no more texts. */
  takeFrom(texts: Iterator<JsonText>): boolean {
    while (this.#hasRoom()) {
      const next = texts.next()
      if (next.done === true) return true
      this.#take(next.value)
    }
    return false
  }

  /** The results known at the head of the queue; empty if there are none. */
  results(): string {
    let text = ''
    let count = 0
    for (; this.#records[count]?.result !== undefined; count++) {
      text += `${JSON.stringify(this.#records[count]!.result)}\n`
      this.#bytes -= this.#records[count]!.bytes
    }
    this.#records.splice(0, count)
    return text
  }

  #hasRoom(): boolean {
    if (this.#records.length >= mostInFlight || this.#bytes >= mostInFlightBytes) return false
    return this.#records.length === 0 || !this.#memory.isShort
  }

  #take(text: JsonText): void {
    const isKept = typeof text !== 'string'
    const bytes = isKept ? text.length : 0
    const produced = isKept ? this.#produce(text) : Promise.resolve(this.#refused(text))
    const record: InFlight = {
      bytes,
      settled: produced.then((result) => {
        record.result = result
        this.#memory.release(bytes)
      }),
      result: undefined,
    }
    this.#records.push(record)
    this.#bytes += bytes
  }

  #refused(why: 'too long' | 'no room'): ProduceResult {
    return failedResult(why === 'too long' ? tooLong() : this.#memory.refusal())
  }
}

function tooLong(): RestError {
  return new RestError(
    413,
    'RECORD_TOO_LARGE',
    `the record exceeds ${maxRecordBytes} bytes`,
    'send smaller records: brokers refuse larger ones too',
  )
}
