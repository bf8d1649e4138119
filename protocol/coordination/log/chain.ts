// The chain of a coordination log. Each entry carries the digest of its predecessor, so that every
// reader notices a log that forked, lost entries, or was created anew: JetStream has lost
// acknowledged writes in public tests (nats-server issues 7545, 7549, 7564, 7567). Plain state: no
// I/O, no clock.
//
// Entry:    'M', version, digest of the predecessor (16 bytes), payload.
// Snapshot: 'S', version, digest of all that follows (16 bytes), generation (uint32), sequence
//           (int64), length of the id (uint8), id, number of digests (uint16), digests of the
//           entries up to the sequence (16 bytes each, the newest last), state.
//
// A snapshot has the digests of the entries before it, so that a reader that continues with it
// notices that the log forked behind it.
//
// A digest is the beginning of SHA-256. It protects from faults, not from an attacker who can write
// to the log. Must never advance over an entry whose predecessor is another one.

import { hash } from 'node:crypto'
import { MalformedError } from '../../bytes/malformed.ts'
import { asBuffer, ByteReader } from '../../bytes/reader.ts'
import { assert } from '../../runtime/assert.ts'
import type { LogHistory, LogIdentity, LogPosition } from './coordinationLog.ts'

const digestBytes = 16
const entryMagic = 0x4d
const snapshotMagic = 0x53
const version = 1
/** Bytes of an entry before its payload. */
export const entryHeaderBytes = 2 + digestBytes
const snapshotDigestEnd = 2 + digestBytes
/** Bytes of a snapshot before the id. */
const snapshotHeaderBytes = snapshotDigestEnd + 4 + 8 + 1
/** Sequences whose digests are kept for comparisons with other members, and in snapshots. */
const recentSequences = 4096

export type ChainFault =
  /** The entry is not the one after the last one that was followed. */
  | 'gap'
  /** The bytes are no entry or snapshot, or were changed. */
  | 'malformed'
  /** Written by a later release. */
  | 'unsupported'
  /** The predecessor is another entry: the log forked. */
  | 'forked'

export interface ChainFailure {
  readonly fault: ChainFault
  /** What was found, for the message of an error. */
  readonly problem: string
}

export type Followed = { readonly payload: Buffer } | ChainFailure

/** A snapshot with its header decoded. `state` shares the memory of the bytes. */
export interface OpenedSnapshot {
  readonly identity: LogIdentity
  readonly sequence: number
  /** Of the entries up to the sequence, the newest last. */
  readonly digests: readonly Buffer[]
  readonly state: Buffer
}

export type ClaimComparison =
  | 'same'
  /** The claim's log and this one have different entries at its sequence. */
  | 'different'
  /** The sequence is too old, or not followed yet, or the claim is about a log with another id. */
  | 'unknown'

export class Chain {
  readonly identity: LogIdentity
  #sequence: number
  #digest: Buffer
  /** Digests by sequence, without gaps up to the last one; the oldest are removed first. */
  readonly #recent = new Map<number, Buffer>()

  /** Starts before the first entry, or after the entry of a snapshot. */
  constructor(identity: LogIdentity, after?: Pick<OpenedSnapshot, 'sequence' | 'digests'>) {
    const digests = after?.digests ?? [genesisDigest(identity)]
    assert(digests.length > 0, 'a chain has the digest of its last entry')
    this.identity = identity
    this.#sequence = after?.sequence ?? 0
    this.#digest = digests.at(-1)!
    const first = this.#sequence - digests.length + 1
    for (const [at, digest] of digests.entries()) this.#recent.set(first + at, digest)
  }

  /** Sequence of the last entry that was followed. */
  get sequence(): number {
    return this.#sequence
  }

  /** Returns the bytes of the next entry. Does not advance: that is for `follow`. */
  frame(payload: Uint8Array): Buffer {
    const bytes = Buffer.allocUnsafe(entryHeaderBytes + payload.length)
    bytes[0] = entryMagic
    bytes[1] = version
    this.#digest.copy(bytes, 2)
    bytes.set(payload, entryHeaderBytes)
    return bytes
  }

  /**
   * Checks the entry and advances; after a fault the state is unchanged. `payload` shares the
   * memory of `bytes`.
   */
  follow(sequence: number, bytes: Uint8Array): Followed {
    const failure = this.#check(sequence, asBuffer(bytes))
    if (failure !== undefined) return failure
    this.#sequence = sequence
    this.#digest = digestOf(bytes)
    this.#recent.set(sequence, this.#digest)
    this.#recent.delete(sequence - recentSequences)
    return { payload: asBuffer(bytes).subarray(entryHeaderBytes) }
  }

  /** Where this chain stands, as a claim of `member`. */
  position(member: string): LogPosition {
    const digest = this.#digest.toString('hex')
    return { id: this.identity.id, sequence: this.#sequence, digest, member }
  }

  /** Compares the position of another member with the entries that were followed here. */
  compare(claim: LogPosition): ClaimComparison {
    const own = this.#recent.get(claim.sequence)
    if (own === undefined || claim.id !== this.identity.id) return 'unknown'
    return own.toString('hex') === claim.digest ? 'same' : 'different'
  }

  /** Whether another entry than these bytes was followed at the sequence; false if unknown. */
  hasOther(sequence: number, bytes: Uint8Array): boolean {
    const own = this.#recent.get(sequence)
    return own !== undefined && !own.equals(digestOf(bytes))
  }

  /** Returns the bytes of a snapshot that has the effects of every entry that was followed. */
  frameSnapshot(state: Uint8Array): Buffer {
    const id = Buffer.from(this.identity.id)
    assert(id.length <= 255, 'the id of a log has at most 255 bytes')
    const header = Buffer.alloc(snapshotHeaderBytes)
    header[0] = snapshotMagic
    header[1] = version
    header.writeUInt32BE(this.identity.generation, snapshotDigestEnd)
    header.writeBigInt64BE(BigInt(this.#sequence), snapshotDigestEnd + 4)
    header[header.length - 1] = id.length
    const count = Buffer.alloc(2)
    count.writeUInt16BE(this.#recent.size)
    const bytes = Buffer.concat([header, id, count, ...this.#recent.values(), state])
    digestOf(bytes.subarray(snapshotDigestEnd)).copy(bytes, 2)
    return bytes
  }

  #check(sequence: number, bytes: Buffer): ChainFailure | undefined {
    const at = `entry ${sequence}`
    if (sequence !== this.#sequence + 1) {
      return { fault: 'gap', problem: `${at} follows entry ${this.#sequence}` }
    }
    const failure = headerFailure(at, bytes, entryMagic, entryHeaderBytes)
    if (failure !== undefined) return failure
    const predecessor = bytes.subarray(2, entryHeaderBytes)
    if (predecessor.equals(this.#digest)) return undefined
    return {
      fault: 'forked',
      problem:
        `${at} was written after an entry with the digest ${predecessor.toString('hex')}, ` +
        `but entry ${this.#sequence} has ${this.#digest.toString('hex')}`,
    }
  }
}

/** Follows a history to its end, without reading what its entries say. */
export function chainOf({ identity, snapshot, entries }: LogHistory): Chain | ChainFailure {
  const opened = snapshot && openSnapshot(snapshot.bytes)
  if (opened && 'fault' in opened) return opened
  const chain = new Chain(identity, opened)
  for (const { sequence, bytes } of entries) {
    const followed = chain.follow(sequence, bytes)
    if ('fault' in followed) return followed
  }
  return chain
}

/** Returns what stands in place of a predecessor's digest in the first entry of a log. */
export function genesisDigest(identity: LogIdentity): Buffer {
  return digestOf(Buffer.from(`millrace coordination log ${identity.generation} ${identity.id}`))
}

/** Checks the bytes of a snapshot and decodes their header. */
export function openSnapshot(bytes: Uint8Array): OpenedSnapshot | ChainFailure {
  const all = asBuffer(bytes)
  const failure = headerFailure('the snapshot', all, snapshotMagic, snapshotHeaderBytes)
  if (failure !== undefined) return failure
  if (!digestOf(all.subarray(snapshotDigestEnd)).equals(all.subarray(2, snapshotDigestEnd))) {
    return { fault: 'malformed', problem: 'the snapshot does not match its digest' }
  }
  const reader = new ByteReader(all, snapshotDigestEnd)
  try {
    const generation = reader.uint32()
    const sequence = reader.int64()
    const id = reader.utf8(reader.uint8())
    const count = reader.uint16()
    if (count === 0 || count > recentSequences) {
      return { fault: 'malformed', problem: `the snapshot has ${count} digests` }
    }
    reader.need(count * digestBytes)
    // Copied: they are kept longer than the state.
    const digests = Array.from({ length: count }, () => Buffer.from(reader.view(digestBytes)))
    const state = reader.view(reader.remaining)
    return { identity: { generation, id }, sequence, digests, state }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
    return { fault: 'malformed', problem: `the snapshot is cut off (${error.message})` }
  }
}

function headerFailure(
  what: string,
  bytes: Buffer,
  magic: number,
  headerBytes: number,
): ChainFailure | undefined {
  if (
    bytes.length < 2 ||
    bytes[0] !== magic ||
    (bytes.length < headerBytes && bytes[1] === version)
  ) {
    return { fault: 'malformed', problem: `${what} (${bytes.length} bytes) has no header` }
  }
  if (bytes[1] === version) return undefined
  const problem = `${what} has format ${bytes[1]}; this release reads format ${version}`
  return { fault: 'unsupported', problem }
}

function digestOf(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer').subarray(0, digestBytes)
}
