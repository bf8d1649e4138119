// Writes versions of keys to a compacted topic, one after another, and deletes keys. In the end
// each key has its last version, and no key has returned to an earlier one.

import type { Isolation } from '../../../../../protocol/client/consumer/isolation.ts'
import { PartitionReader } from '../../../../../protocol/client/consumer/partitionReader.ts'
import { Producer } from '../../../../../protocol/client/producer/producer.ts'
import { splitBatches } from '../../../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../../../protocol/kafka/records/recordCursor.ts'
import type { Client } from './client.ts'

interface Version {
  readonly number: number
  readonly isDeletion: boolean
}

/** What is known of a key: its last acknowledged version, and one that was not answered. */
interface KeyState {
  acknowledged: Version | undefined
  unanswered: Version | undefined
}

type KeyStates = Map<string, KeyState>

const keys = 4
const maxBatchBytes = 16 * 1024 * 1024

export async function keyWriter(client: Client): Promise<void> {
  const { keyedTopic } = client.shared.parameters
  const states = client.memory<KeyStates>(() => new Map())
  const producer = new Producer(client.cluster, client.process.runtime, {
    lingerMs: 0,
    deliveryTimeoutMs: Number.POSITIVE_INFINITY,
  })
  while (!client.isOver) {
    await write(client, producer, states)
    await client.think()
  }
  await producer.close()
  check(client, states, await readAll(client, keyedTopic.name, 'uncommitted'))
}

/** An incarnation has keys of its own: records of a killed one may still arrive after its. */
async function write(client: Client, producer: Producer, states: KeyStates): Promise<void> {
  const { random, shared } = client
  const key = `${client.name} ${random.below(keys)}`
  const state = states.get(key) ?? { acknowledged: undefined, unanswered: undefined }
  states.set(key, state)
  const number = (state.acknowledged?.number ?? 0) + 1
  state.unanswered = { number, isDeletion: random.below(6) === 0 }
  const text = `${number} `.padEnd(random.below(200), '.')
  const value = state.unanswered.isDeletion ? null : Buffer.from(text)
  await producer.send(shared.parameters.keyedTopic.name, {
    partition: 0,
    key: Buffer.from(key),
    value,
  })
  state.acknowledged = state.unanswered
  state.unanswered = undefined
}

export interface FoundRecord {
  readonly key: string
  /** Undefined for a deletion. */
  readonly number: number | undefined
}

/** Everything that can be read in the first partition of a topic, in order. */
export async function readAll(
  client: Client,
  topic: string,
  isolation: Isolation,
): Promise<FoundRecord[]> {
  const retryTimeoutMs = Number.POSITIVE_INFINITY
  const options = { topic, partition: 0, isolation, maxWaitMs: 0, retryTimeoutMs }
  const reader = new PartitionReader(client.cluster, options)
  const end = await reader.latest()
  const found: FoundRecord[] = []
  for (let offset = await reader.earliest(); offset < end; ) {
    const { batches, nextOffset } = await reader.fetch(offset)
    for (const batch of splitBatches(batches)) {
      for (const { offset: at, key, value } of records(batch, maxBatchBytes)) {
        const number = value === null ? undefined : Number.parseInt(value.toString(), 10)
        if (at >= offset) found.push({ key: key!.toString(), number })
      }
    }
    // Compaction may have removed everything up to the end.
    if (nextOffset === offset) break
    offset = nextOffset
  }
  return found
}

function check({ shared }: Client, states: KeyStates, found: readonly FoundRecord[]): void {
  const last = new Map<string, number | undefined>()
  const highest = new Map<string, number>()
  for (const { key, number } of found) {
    last.set(key, number)
    if (number === undefined) continue
    const before = highest.get(key) ?? 0
    if (number <= before) {
      shared.violate('old version', `${key} has version ${number} behind version ${before}`)
    }
    highest.set(key, number)
  }
  for (const [key, { acknowledged, unanswered }] of states) {
    const possible = [acknowledged, unanswered].filter((version) => version !== undefined)
    const isPossible =
      possible.some(
        ({ number, isDeletion }) => last.get(key) === (isDeletion ? undefined : number),
      ) ||
      (acknowledged === undefined && !last.has(key))
    if (isPossible) continue
    const expected = possible.map(({ number, isDeletion }) => (isDeletion ? 'no value' : number))
    shared.violate('lost key', `${key} has ${last.get(key)}, expected ${expected.join(' or ')}`)
  }
  shared.reached('the keys of a compacted topic were checked')
}
