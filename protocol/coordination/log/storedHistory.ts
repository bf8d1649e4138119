// How a coordination log lies in a key-value store: as the log itself (levelLog.ts) and as the copy
// of a process (localCopy.ts). The keys differ from those of the metadata log of earlier releases
// (c..., s, n), so that both can lie in one store.
//
// log/e<16 digits>        the bytes of an entry
// log/identity            JSON: format, generation, id
// log/snapshot            the bytes of the snapshot
// log/snapshotSequence    its sequence, as decimal digits
//
// Entries are consecutive, and begin at most one after the snapshot. Whatever else is found is
// corrupt and named.

import type { KeyValueChange, KeyValueReader } from '../../runtime/store/keyValueStore.ts'
import { CoordinationError } from '../coordinationError.ts'
import type { LogEntry, LogHistory, LogIdentity, LogSnapshot } from './coordinationLog.ts'

const identityKey = Buffer.from('log/identity')
const snapshotKey = Buffer.from('log/snapshot')
const snapshotSequenceKey = Buffer.from('log/snapshotSequence')
const entryPrefix = 'log/e'
const afterEntries = Buffer.from('log/f')
const format = 1
/** Number of entries that are read together. */
const entriesAtOnce = 256

/** What a store has, without the bytes. */
export interface StoredExtent {
  readonly identity: LogIdentity | undefined
  /** 0 without a snapshot. */
  readonly snapshotSequence: number
}

export function putIdentity({ generation, id }: LogIdentity): KeyValueChange {
  const text = JSON.stringify({ format, generation, id })
  return { type: 'put', key: identityKey, value: Buffer.from(text) }
}

export function putEntry({ sequence, bytes }: LogEntry): KeyValueChange {
  return { type: 'put', key: entryKey(sequence), value: bytes }
}

export function deleteEntry(sequence: number): KeyValueChange {
  return { type: 'del', key: entryKey(sequence) }
}

export function putSnapshot({ sequence, bytes }: LogSnapshot): KeyValueChange[] {
  return [
    { type: 'put', key: snapshotKey, value: bytes },
    { type: 'put', key: snapshotSequenceKey, value: Buffer.from(String(sequence)) },
  ]
}

function deleteSnapshot(): KeyValueChange[] {
  return [
    { type: 'del', key: snapshotKey },
    { type: 'del', key: snapshotSequenceKey },
  ]
}

/** Reads a log from its store; `place` names it in errors. */
export class StoredHistory {
  readonly #reader: KeyValueReader
  readonly #place: string

  constructor(reader: KeyValueReader, place: string) {
    this.#reader = reader
    this.#place = place
  }

  async extent(): Promise<StoredExtent> {
    const [identity, sequence] = await this.#reader.getMany([identityKey, snapshotSequenceKey])
    return {
      identity: identity && this.#identityOf(identity),
      snapshotSequence: sequence === undefined ? 0 : this.#sequenceOf(textOf(sequence)),
    }
  }

  async snapshot(): Promise<LogSnapshot | undefined> {
    const { snapshotSequence } = await this.extent()
    const [bytes] = await this.#reader.getMany([snapshotKey])
    if (bytes === undefined && snapshotSequence === 0) return undefined
    if (bytes === undefined) throw this.corrupt(`the snapshot at ${snapshotSequence} is missing`)
    return { sequence: snapshotSequence, bytes }
  }

  /** Yields groups of entries after `sequence`; only the first may begin later than expected. */
  async *groupsAfter(sequence: number): AsyncGenerator<readonly LogEntry[], void> {
    const range = { from: entryKey(sequence + 1), until: afterEntries }
    let next: number | undefined
    for await (const group of this.#reader.entries(range, entriesAtOnce)) {
      const entries: LogEntry[] = []
      for (const [key, bytes] of group) {
        const found = this.#sequenceOf(textOf(key).slice(entryPrefix.length))
        next ??= found
        if (found !== next) throw this.corrupt(`entry ${next} is missing`)
        entries.push({ sequence: found, bytes })
        next++
      }
      yield entries
    }
  }

  /** Returns what removes the log from its store, also a corrupt one. */
  async removal(): Promise<KeyValueChange[]> {
    const changes: KeyValueChange[] = [{ type: 'del', key: identityKey }, ...deleteSnapshot()]
    const range = { from: Buffer.from(entryPrefix), until: afterEntries }
    for await (const group of this.#reader.entries(range, entriesAtOnce)) {
      for (const [key] of group) changes.push({ type: 'del', key })
    }
    return changes
  }

  async entriesAfter(sequence: number): Promise<LogEntry[]> {
    const all: LogEntry[] = []
    for await (const group of this.groupsAfter(sequence)) all.push(...group)
    return all
  }

  /** Undefined for a store without a log. */
  async history(): Promise<LogHistory | undefined> {
    const { identity, snapshotSequence } = await this.extent()
    const entries = await this.entriesAfter(snapshotSequence)
    if (identity === undefined) {
      if (entries.length > 0) throw this.corrupt('the identity of the log is missing')
      return undefined
    }
    const first = entries[0]?.sequence ?? snapshotSequence + 1
    if (first !== snapshotSequence + 1) {
      throw this.corrupt(`entry ${snapshotSequence + 1} is missing`)
    }
    const lastSequence = snapshotSequence + entries.length
    return { identity, snapshot: await this.snapshot(), entries, lastSequence }
  }

  corrupt(problem: string, cause?: unknown): CoordinationError {
    return new CoordinationError(
      'COORDINATION_DAMAGED',
      `${this.#place}: ${problem}; restore the directory from a backup`,
      cause,
    )
  }

  #identityOf(bytes: Uint8Array): LogIdentity {
    const text = textOf(bytes)
    let parsed: { format?: unknown; generation?: unknown; id?: unknown }
    try {
      parsed = JSON.parse(text)
    } catch (cause) {
      throw this.corrupt(`the identity of the log is damaged (${text.slice(0, 80)})`, cause)
    }
    const { generation, id } = parsed
    if (parsed.format !== undefined && parsed.format !== format) {
      throw new CoordinationError(
        'COORDINATION_UNSUPPORTED',
        `${this.#place} has format ${parsed.format}, which a later release wrote: use that release`,
      )
    }
    if (typeof generation !== 'number' || typeof id !== 'string') {
      throw this.corrupt(`the identity of the log is damaged (${text.slice(0, 80)})`)
    }
    return { generation, id }
  }

  #sequenceOf(digits: string): number {
    const sequence = Number(digits)
    if (/^\d{1,16}$/.test(digits) && Number.isSafeInteger(sequence)) return sequence
    throw this.corrupt(`${digits.slice(0, 80)} is not the sequence of an entry`)
  }
}

function entryKey(sequence: number): Buffer {
  return Buffer.from(`${entryPrefix}${String(sequence).padStart(16, '0')}`)
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}
