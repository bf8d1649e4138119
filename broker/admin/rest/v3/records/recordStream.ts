// Produces a stream of records, and answers with a stream of results in the same order: one for each record, as
// soon as it is known. Bounded: while enough records are on their way, or the client does not read its results, no
// more of its records are read.

import { RestError } from '../../restError.ts'
import type { JsonText, JsonTexts } from './jsonTexts.ts'
import { failedResult, type ProduceResult } from './produceResult.ts'

/** Of one request: records on their way to the brokers, and their bytes. */
const mostInFlight = 1_000
const mostInFlightBytes = 4 * 1024 * 1024
export const maxRecordBytes = 8 * 1024 * 1024

interface InFlight {
  readonly bytes: number
  readonly settled: Promise<void>
  result: ProduceResult | undefined
}

/** Pieces of the answer: results as JSON, one a line. Fails when the stream of the request does. */
export async function* resultsOf(
  chunks: AsyncIterable<Buffer>,
  texts: JsonTexts,
  produce: (text: Buffer) => Promise<ProduceResult>,
): AsyncGenerator<string> {
  const inFlight = new RecordsInFlight(produce)
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
    await input.return?.()
  }
}

class RecordsInFlight {
  readonly #produce: (text: Buffer) => Promise<ProduceResult>
  readonly #records: InFlight[] = []
  #bytes = 0

  constructor(produce: (text: Buffer) => Promise<ProduceResult>) {
    this.#produce = produce
  }

  get first(): InFlight | undefined {
    return this.#records[0]
  }

  /** Produces texts while there is room; true when there are no more of them. */
  takeFrom(texts: Iterator<JsonText>): boolean {
    while (this.#records.length < mostInFlight && this.#bytes < mostInFlightBytes) {
      const next = texts.next()
      if (next.done === true) return true
      this.#take(next.value)
    }
    return false
  }

  /** Of the first records, as far as they are known; empty for none. */
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

  #take(text: JsonText): void {
    const produced = text === undefined ? Promise.resolve(tooLong()) : this.#produce(text)
    const record: InFlight = {
      bytes: text?.length ?? 0,
      settled: produced.then((result) => {
        record.result = result
      }),
      result: undefined,
    }
    this.#records.push(record)
    this.#bytes += record.bytes
  }
}

function tooLong(): ProduceResult {
  return failedResult(
    new RestError(
      413,
      'RECORD_TOO_LARGE',
      `a record of more than ${maxRecordBytes} bytes`,
      'send smaller records: brokers do not take such either',
    ),
  )
}
