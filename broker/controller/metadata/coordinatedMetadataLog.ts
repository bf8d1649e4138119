// The metadata log in the tree of coordination (metadataTree.ts). An append is one transaction that
// changes the root at the version at which it was read, so it is conditional, and nothing is
// decided by a read. Embedded coordination keeps the tree in the data directory; a cluster shares
// one over NATS.
//
// Must never deliver an entry twice, out of order or after a gap.

import type { Coordination } from '../../../protocol/coordination/coordination.ts'
import {
  CoordinationError,
  TransactionError,
} from '../../../protocol/coordination/coordinationError.ts'
import type { Operation } from '../../../protocol/coordination/tree/operation.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import { type Random, randomUuid, uuidText } from '../../../protocol/runtime/random.ts'
import { BrokerError } from '../../errors.ts'
import type { MetadataEntry, SnapshotEntry } from './metadataCommand.ts'
import type {
  AppendOutcome,
  EntryListener,
  MetadataHistory,
  MetadataLog,
  StoredEntry,
  StoredSnapshot,
} from './metadataLog.ts'
import { MetadataSubscriptions } from './metadataSubscriptions.ts'
import {
  chunkPath,
  chunksOf,
  corruptMetadata,
  create,
  entriesPath,
  entryPath,
  json,
  padded,
  parseNode,
  readRoot,
  rootOperations,
  type SnapshotName,
  snapshotsPath,
} from './metadataTree.ts'

/** Entries kept before a snapshot, for brokers that are a little behind. */
const entriesKept = 1000

export interface CoordinatedMetadataLogOptions {
  readonly coordination: Coordination
  readonly random: Random
  /** Whether coordination is elsewhere: an embedded log can be asked at any time. */
  readonly isShared: boolean
  /**
   * Called when entries that were not delivered exist only in a snapshot, after a long time out of
   * reach: the broker has to start again.
   */
  readonly onGap: (reason: BrokerError) => void
}

export class CoordinatedMetadataLog implements MetadataLog {
  readonly #options: CoordinatedMetadataLogOptions
  readonly #coordination: Coordination
  readonly #subscriptions = new MetadataSubscriptions()
  readonly #unwatch: () => void
  /** Sequence of the next entry to deliver. */
  #delivered = 0

  constructor(options: CoordinatedMetadataLogOptions) {
    this.#options = options
    this.#coordination = options.coordination
    this.#unwatch = this.#coordination.watch(entriesPath, 'recursive', {
      onEvent: ({ type }) => {
        if (type === 'created') this.#deliver()
      },
    })
  }

  /** Reads the tree as it is folded: a later change is delivered. */
  async load(): Promise<MetadataHistory> {
    const root = readRoot(this.#coordination)
    if (root === undefined) return { snapshot: undefined, entries: [], nextSequence: 0 }
    const { snapshot, nextSequence } = root.content
    this.#delivered = nextSequence
    return {
      snapshot: snapshot && this.#readSnapshot(snapshot),
      entries: this.#entriesFrom(snapshot?.sequence ?? 0, nextSequence),
      nextSequence,
    }
  }

  append(sequence: number, entry: MetadataEntry): Promise<AppendOutcome> {
    const root = readRoot(this.#coordination)
    const next = root?.content.nextSequence ?? 0
    if (sequence < next) return Promise.resolve('conflict')
    assert(sequence === next, `entry ${sequence} would leave a gap: the log has ${next} entries`)
    const { snapshot } = root?.content ?? {}
    return this.#conditional([
      ...rootOperations({ format: 1, nextSequence: next + 1, snapshot }, root?.version),
      create(entryPath(sequence), entry),
    ])
  }

  subscribe(sequence: number, listener: EntryListener): () => void {
    return this.#subscriptions.add(sequence, listener)
  }

  async read(sequence: number): Promise<readonly StoredEntry[]> {
    const { status, problem } = this.#coordination
    // Nobody waits twice for a log that cannot be reached: the proposal did already.
    if (this.#options.isShared && status === 'suspended') throw unreachableLog(problem)
    await this.#attempt(() => this.#coordination.sync())
    this.#deliver()
    const next = readRoot(this.#coordination)?.content.nextSequence ?? 0
    return this.#entriesFrom(sequence, next)
  }

  async compact(sequence: number, snapshot: SnapshotEntry): Promise<void> {
    const before = readRoot(this.#coordination)
    assert(before !== undefined, 'a log with entries has a root')
    if ((before.content.snapshot?.sequence ?? 0) >= sequence) return
    const name = await this.#writeSnapshot(sequence, snapshot)
    const root = readRoot(this.#coordination)!
    const content = { ...root.content, snapshot: name }
    const outcome = await this.#conditional([
      // Another broker removes snapshots that the root does not name.
      { type: 'check', path: `${snapshotsPath}/${name.name}` },
      ...rootOperations(content, root.version),
      ...this.#entriesBelow(sequence - entriesKept),
    ])
    // Another broker appended meanwhile: the next snapshot replaces these chunks.
    const used = outcome === 'appended' ? name.name : root.content.snapshot?.name
    await this.#removeSnapshots(used)
  }

  async close(): Promise<void> {
    this.#unwatch()
    await this.#coordination.close()
  }

  #entriesFrom(sequence: number, end: number): StoredEntry[] {
    const entries: StoredEntry[] = []
    for (let each = sequence; each < end; each++) {
      const path = entryPath(each)
      const node = this.#coordination.tree.get(path)
      if (node === undefined) throw corruptMetadata(`entry ${each} is missing`)
      entries.push(parseNode<StoredEntry>(path, node.data))
    }
    return entries
  }

  #deliver(): void {
    const end = readRoot(this.#coordination)?.content.nextSequence ?? 0
    const first = this.#delivered
    if (end <= first) return
    let entries: StoredEntry[]
    try {
      entries = this.#entriesFrom(first, end)
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      this.#options.onGap(error)
      return
    }
    this.#delivered = end
    this.#subscriptions.deliver(first, entries)
  }

  #entriesBelow(sequence: number): Operation[] {
    const names = this.#coordination.tree.children(entriesPath) ?? []
    return names
      .filter((name) => Number(name) < sequence)
      .map((name): Operation => ({ type: 'delete', path: `${entriesPath}/${name}` }))
  }

  /** The chunks are not used before the root names them. */
  async #writeSnapshot(sequence: number, snapshot: SnapshotEntry): Promise<SnapshotName> {
    const chunks = chunksOf(json(snapshot))
    const name = `${padded(sequence)}-${uuidText(randomUuid(this.#options.random))}`
    await this.#transact([create(`${snapshotsPath}/${name}`)])
    for (const [chunk, data] of chunks.entries()) {
      await this.#transact([{ type: 'create', path: chunkPath(name, chunk), data }])
    }
    return { name, chunks: chunks.length, sequence }
  }

  #readSnapshot({ name, chunks }: SnapshotName): StoredSnapshot {
    const parts: Uint8Array[] = []
    for (let chunk = 0; chunk < chunks; chunk++) {
      const node = this.#coordination.tree.get(chunkPath(name, chunk))
      if (node === undefined) throw corruptMetadata(`chunk ${chunk} of snapshot ${name} is missing`)
      parts.push(node.data)
    }
    return parseNode<StoredSnapshot>(name, Buffer.concat(parts))
  }

  async #removeSnapshots(used: string | undefined): Promise<void> {
    const { tree } = this.#coordination
    for (const name of tree.children(snapshotsPath) ?? []) {
      if (name === used) continue
      const path = `${snapshotsPath}/${name}`
      const chunks = (tree.children(path) ?? []).map((chunk) => `${path}/${chunk}`)
      const paths = [...chunks, path]
      await this.#transact(paths.map((each): Operation => ({ type: 'delete', path: each }))).catch(
        ignoreRefusal,
      )
    }
  }

  async #conditional(operations: readonly Operation[]): Promise<AppendOutcome> {
    try {
      await this.#transact(operations)
      return 'appended'
    } catch (error) {
      if (error instanceof TransactionError) return 'conflict'
      throw error
    }
  }

  async #transact(operations: readonly Operation[]): Promise<void> {
    await this.#attempt(() => this.#coordination.transact(operations))
  }

  /** Rejects with the error of the disk, if that is why coordination is unavailable. */
  async #attempt(act: () => Promise<unknown>): Promise<void> {
    try {
      await act()
    } catch (error) {
      throw originOf(error)
    }
  }
}

function unreachableLog(problem = 'the coordination log cannot be reached'): CoordinationError {
  return new CoordinationError('COORDINATION_UNAVAILABLE', problem)
}

/** The error of the disk or the server behind one of coordination. */
function originOf(error: unknown): unknown {
  if (!(error instanceof CoordinationError && error.cause instanceof Error)) return error
  return 'code' in error.cause ? originOf(error.cause) : error
}

/** Another broker removes the same snapshot. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof TransactionError)) throw error
}
