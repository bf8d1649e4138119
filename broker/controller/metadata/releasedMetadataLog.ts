// The metadata log of releases before coordination: a key-value store of its own, with an entry
// under each key `c` and its sequence, the snapshot under `s`, the sequence after the snapshot
// under `n`. Read once, when its content moves into the tree of coordination, and retired then:
// earlier releases must not start from metadata that are no longer true.

import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import type {
  KeyValueChange,
  KeyValueStore,
  OpenKeyValueStore,
} from '../../../protocol/runtime/store/keyValueStore.ts'
import { BrokerError } from '../../errors.ts'
import { formatVersion } from './metadataCommand.ts'
import type { MetadataHistory, OtherMetadata, StoredEntry, StoredSnapshot } from './metadataLog.ts'

const snapshotKey = Buffer.from('s')
/** Does not exist in logs from before sequences outlived a snapshot. */
const nextSequenceKey = Buffer.from('n')
const entries = { from: Buffer.from('c'), until: Buffer.from('d') }
/** Number of entries that are read together and parsed one after another. */
const entriesAtOnce = 1000
/** A snapshot of a later format, which every earlier release refuses to read. */
const retired = JSON.stringify({
  version: formatVersion + 1,
  state: 'moved to coordination, in the directory __coordination beside this one',
})

export interface ReleasedLocation {
  readonly name: string
  /** It need not exist. */
  readonly directory: string
  readonly disk: Disk
  readonly openStore: OpenKeyValueStore
}

export function releasedMetadata(location: ReleasedLocation): OtherMetadata {
  const { name, directory, disk, openStore } = location
  return {
    name,
    async read() {
      if ((await disk.stat(directory)) === undefined) return undefined
      return await readReleasedMetadata(directory, openStore)
    },
    retire: () => retireReleasedMetadata(directory, openStore),
  }
}

/** Returns what the log has; undefined if it is empty or retired. */
async function readReleasedMetadata(
  directory: string,
  open: OpenKeyValueStore,
): Promise<MetadataHistory | undefined> {
  const store = await open(directory)
  try {
    return await historyOf(directory, store)
  } finally {
    await store.close()
  }
}

/** Makes earlier releases refuse the directory, durably and at once. */
async function retireReleasedMetadata(directory: string, open: OpenKeyValueStore): Promise<void> {
  const store = await open(directory)
  try {
    const changes: KeyValueChange[] = [
      { type: 'put', key: snapshotKey, value: Buffer.from(retired) },
    ]
    for await (const group of store.entries(entries, entriesAtOnce)) {
      for (const [key] of group) changes.push({ type: 'del', key })
    }
    await store.write(changes)
  } finally {
    await store.close()
  }
}

async function historyOf(
  directory: string,
  store: KeyValueStore,
): Promise<MetadataHistory | undefined> {
  const [snapshot, next] = await store.getMany([snapshotKey, nextSequenceKey])
  if (snapshot !== undefined && textOf(snapshot) === retired) return undefined
  const found: StoredEntry[] = []
  let first: number | undefined
  for await (const group of store.entries(entries, entriesAtOnce)) {
    for (const [bytes, value] of group) {
      const key = textOf(bytes)
      first ??= Number(key.slice(1))
      const expected = `c${String(first + found.length).padStart(16, '0')}`
      if (key !== expected) throw corrupt(directory, `entry ${expected} is missing`)
      found.push(parse<StoredEntry>(directory, key, value))
    }
  }
  if (snapshot === undefined && found.length === 0) return undefined
  const start = first ?? (next ? Number(textOf(next)) : 0)
  return {
    snapshot: snapshot && parse<StoredSnapshot>(directory, 's', snapshot),
    entries: found,
    nextSequence: start + found.length,
  }
}

function parse<T>(directory: string, key: string, value: Uint8Array): T {
  try {
    return JSON.parse(textOf(value)) as T
  } catch (cause) {
    throw corrupt(directory, `entry ${key} is damaged`, cause)
  }
}

function corrupt(directory: string, problem: string, cause?: unknown): BrokerError {
  return new BrokerError(
    'METADATA_CORRUPT',
    `${directory}: ${problem}; restore the directory from a backup`,
    cause,
  )
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
