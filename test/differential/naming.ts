// Converts an observation to plain JSON without the values that no two brokers share: ids become
// numbered names in the order in which they appear, times become distances, ports become a word.
// Whether two ids are equal remains visible.

import { errorName } from '../../protocol/kafka/errors.ts'
import { type RecordBatch, splitBatches } from '../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../protocol/kafka/records/recordCursor.ts'
import { zeroUuid } from '../../protocol/kafka/schema/fields.ts'

interface Surroundings {
  readonly port: number
  readonly timeMs: number
  name(base: string): string
}

const hourMs = 3_600_000
const mostRecordsBytes = 1 << 24
/** Fields that two brokers need not agree on: durations, and the texts of error messages. */
const meaningless = new Set(['throttleTimeMs', 'duration', 'errorMessage'])
const partIndexes = ['partitionIndex', 'partitionId', 'partition'] as const
const erased = new Set(['clusterId', 'logDir', 'totalBytes', 'usableBytes', 'partitionSize'])
const named: Readonly<Record<string, string>> = {
  topicId: 'topic id',
  memberId: 'member',
  leader: 'member',
  producerId: 'producer',
  sessionId: 'session',
}

export class Naming {
  readonly #around: Surroundings
  readonly #names = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** Returns the same name for the same id: '<member 1>'. */
  of(kind: string, id: string | number): string {
    const key = `${kind} ${id}`
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    const name = `<${kind} ${count}>`
    this.#names.set(key, name)
    return name
  }

  plain(value: unknown, key = ''): unknown {
    // Kafka encodes a missing value in two ways.
    if (key === 'abortedTransactions' && value === null) return []
    if (value === null || value === undefined) return null
    if (typeof value === 'number') return this.#number(value, key)
    if (typeof value === 'bigint') return this.#number(Number(value), key)
    if (typeof value === 'string') return this.#string(value, key)
    if (typeof value !== 'object') return value
    if (value instanceof Uint8Array) return this.#bytes(Buffer.from(value), key)
    if (value instanceof Map) return this.plain(Object.fromEntries(value), key)
    if (Array.isArray(value)) return inOrder(value).map((each) => this.plain(each, key))
    return this.#object(value)
  }

  #object(value: object): unknown {
    const plain: Record<string, unknown> = {}
    for (const [key, each] of Object.entries(value)) {
      if (!meaningless.has(key) && each !== undefined)
        plain[this.#relative(key)] = this.plain(each, key)
    }
    // When nothing was appended, Kafka returns different log start offsets.
    if (plain.baseOffset === -1) delete plain.logStartOffset
    return plain
  }

  #number(value: number, key: string): unknown {
    if (erased.has(key)) return `<${key}>`
    if (key === 'errorCode') return errorName(value)
    if (key in named && value > 0) return this.of(named[key]!, value)
    if (key === 'port' && value === this.#around.port) return '<port>'
    return this.#time(value) ?? value
  }

  #time(value: number): string | undefined {
    const distance = value - this.#around.timeMs
    if (Math.abs(distance) < hourMs) return `T+${distance}`
    const now = Date.now() - value
    return Math.abs(now) < hourMs ? '<now>' : undefined
  }

  #string(value: string, key: string): unknown {
    if (isName(value)) return value
    if (key.endsWith('ErrorMessage')) return '<text>'
    if (erased.has(key)) return `<${key}>`
    if (value === zeroUuid) return '<no id>'
    if (key in named && value !== '') return this.of(named[key]!, value)
    const time = /^\d{13}$/.test(value) ? this.#time(Number(value)) : undefined
    if (time !== undefined) return time
    return this.#relative(value)
  }

  /** Removes names that belong to this run, and the port. */
  #relative(text: string): string {
    return text
      .replaceAll(this.#around.name(''), '~')
      .replaceAll(`:${this.#around.port}`, ':<port>')
  }

  #bytes(value: Buffer, key: string): unknown {
    if (key === 'records') return this.#batches(value)
    const text = value.toString()
    return Buffer.from(text).equals(value) && !/[^ -~]/.test(text)
      ? this.#string(text, key)
      : value.toString('hex')
  }

  /** A fetch may truncate the last batch. */
  #batches(value: Buffer): unknown {
    const found: unknown[] = []
    for (const batch of splitBatches(value)) found.push(this.#batch(batch))
    return found
  }

  #batch(batch: RecordBatch): unknown {
    const { baseOffset, attributes, partitionLeaderEpoch, producerEpoch, baseSequence } = batch
    const list = [...records(batch, mostRecordsBytes)].map(({ offset, timestamp, ...rest }) =>
      this.plain({ offset, timestamp, ...rest }),
    )
    const producer = batch.producerId < 0 ? -1 : this.of('producer', batch.producerId)
    return {
      ...{ baseOffset, attributes, partitionLeaderEpoch, producerEpoch, baseSequence },
      ...{ producer, records: list },
    }
  }
}

/** Sorts partitions, which have no order: Kafka returns them in that of a hash table. */
function inOrder(values: readonly unknown[]): readonly unknown[] {
  const index = partIndexes.find((each) => values.every((value) => isNumber(value, each)))
  if (index === undefined) return values
  return (values as readonly Record<string, number>[]).toSorted((a, b) => a[index]! - b[index]!)
}

function isNumber(value: unknown, key: string): boolean {
  return typeof (value as Record<string, unknown> | null)?.[key] === 'number'
}

/** Idempotent: plain values stay as they are. */
function isName(value: string): boolean {
  return value.startsWith('<') && value.endsWith('>')
}
