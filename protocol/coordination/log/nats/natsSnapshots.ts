// Snapshots in the stream `NAME-snapshots`. A snapshot is a row of chunks on a subject of its own,
// which names the log's id, the sequence and the writer; it is complete with its last chunk. Two
// members that write one at the same time do not mix. The newest two of a log are kept.
//
// A snapshot is only returned with all its chunks and its digest. Entries must not be trimmed
// before `write` has resolved.

import { createHash } from 'node:crypto'
import type { StoredMsg, StreamInfo } from '@nats-io/jetstream'
import { CoordinationError } from '../../coordinationError.ts'
import type { LogSnapshot } from '../coordinationLog.ts'
import { apiCodeOf, apiCodes } from './natsFailure.ts'
import type { NatsLink } from './natsLink.ts'
import {
  checkStreamConfig,
  snapshotsConfig,
  snapshotsStreamName,
  staleness,
  subjects,
} from './natsStreams.ts'

/** Below the smallest max_payload that is accepted (natsServers.ts), and good for the disks. */
const chunkBytes = 512 * 1024
const maxSnapshotBytes = 1024 * 1024 * 1024
const keptSnapshots = 2
/** Messages of an unfinished snapshot may be overtaken by those of others; each read is checked. */
const fieldOf = {
  index: 'Millrace-Chunk',
  count: 'Millrace-Chunks',
  bytes: 'Millrace-Bytes',
  digest: 'Millrace-Digest',
} as const

interface StoredSnapshot {
  readonly subject: string
  readonly sequence: number
}

interface ChunkHeader {
  readonly index: number
  readonly count: number
  readonly bytes: number
  readonly digest: string
}

export class NatsSnapshots {
  readonly #link: NatsLink
  readonly #name: string
  readonly #stream: string
  readonly #replicas: number

  constructor(link: NatsLink, name: string, replicas: number) {
    this.#link = link
    this.#name = name
    this.#stream = snapshotsStreamName(name)
    this.#replicas = replicas
  }

  /** The newest complete snapshot of the log `id`. */
  async newest(id: string): Promise<LogSnapshot | undefined> {
    for (const stored of await this.#list(id)) {
      const bytes = await this.#read(stored)
      if (bytes !== undefined) return { sequence: stored.sequence, bytes }
    }
    return undefined
  }

  /** Sequence of the newest complete snapshot; undefined if there is none. */
  async newestSequence(id: string): Promise<number | undefined> {
    for (const stored of await this.#list(id)) {
      if (await this.#isComplete(stored)) return stored.sequence
    }
    return undefined
  }

  /** Stores a snapshot durably, then removes those before the one before it. */
  async write(id: string, snapshot: LogSnapshot, writer: string): Promise<void> {
    const { bytes, sequence } = snapshot
    const subject = subjects.snapshot(this.#name, id, sequence, writer)
    const count = Math.max(1, Math.ceil(bytes.length / chunkBytes))
    const digest = digestOf(bytes)
    for (let index = 0; index < count; index++) {
      const chunk = bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes)
      await this.#append(subject, chunk, {
        [fieldOf.index]: `${index}`,
        [fieldOf.count]: `${count}`,
        [fieldOf.bytes]: `${bytes.length}`,
        [fieldOf.digest]: digest,
      })
    }
    await this.#removeOld(id)
  }

  /** Newest first. */
  async #list(id: string): Promise<StoredSnapshot[]> {
    const filter = subjects.snapshotsOf(this.#name, id)
    const info = await this.#info(filter)
    const found = Object.keys(info?.state.subjects ?? {}).map((subject) => ({
      subject,
      sequence: Number(subject.split('.').at(-2)),
    }))
    return found.sort((a, b) => b.sequence - a.sequence)
  }

  async #info(filter: string): Promise<StreamInfo | undefined> {
    const what = 'list the snapshots of the coordination log'
    try {
      const info = await this.#link.api(what, (streams) =>
        streams.info(this.#stream, { subjects_filter: filter }),
      )
      const problem = staleness(info)
      if (problem === undefined) return info
      throw new CoordinationError('COORDINATION_UNAVAILABLE', `cannot ${what}: ${problem}`)
    } catch (error) {
      if (apiCodeOf(error) === apiCodes.streamNotFound) return undefined
      throw error
    }
  }

  async #isComplete({ subject }: StoredSnapshot): Promise<boolean> {
    const last = await this.#message({ last_by_subj: subject })
    const header = last === null ? undefined : headerOf(last)
    return header !== undefined && header.index === header.count - 1
  }

  /** Undefined unless all chunks are there and the digest matches. */
  async #read(stored: StoredSnapshot): Promise<Buffer | undefined> {
    if (!(await this.#isComplete(stored))) return undefined
    const chunks: Uint8Array[] = []
    let seq = 1
    let length = 0
    for (;;) {
      const message = await this.#message({ next_by_subj: stored.subject, seq })
      const header = message === null ? undefined : headerOf(message)
      if (!message || header === undefined || header.index !== chunks.length) return undefined
      chunks.push(message.data)
      length += message.data.length
      if (length > header.bytes) return undefined
      if (header.index === header.count - 1) {
        const bytes = Buffer.concat(chunks)
        return bytes.length === header.bytes && digestOf(bytes) === header.digest
          ? bytes
          : undefined
      }
      seq = message.seq + 1
    }
  }

  async #message(
    query: { last_by_subj: string } | { next_by_subj: string; seq: number },
  ): Promise<StoredMsg | null> {
    return await this.#link.api('read a snapshot of the coordination log', (streams) =>
      streams.getMessage(this.#stream, query),
    )
  }

  async #append(
    subject: string,
    chunk: Uint8Array,
    fields: Readonly<Record<string, string>>,
  ): Promise<void> {
    const expectation = { stream: this.#stream, lastSequence: undefined }
    await this.#link.append(subject, chunk, expectation, fields)
  }

  /** Creates the stream unless it exists. Rejects if it was changed. */
  async create(): Promise<void> {
    const expected = snapshotsConfig(this.#name, this.#replicas)
    try {
      const { config } = await this.#link.api('create the stream of snapshots', (streams) =>
        streams.add({ ...expected }),
      )
      checkStreamConfig(config, expected)
    } catch (error) {
      if (apiCodeOf(error) !== apiCodes.streamNameInUse) throw error
      const info = await this.#info(subjects.allSnapshots(this.#name))
      if (info !== undefined) checkStreamConfig(info.config, expected)
    }
  }

  /** Removes all snapshots of a log that does not exist. */
  async remove(id: string): Promise<void> {
    for (const { subject } of await this.#list(id)) await this.#remove(subject)
  }

  async #remove(subject: string): Promise<void> {
    await this.#link.api('remove a snapshot', (streams) =>
      streams.purge(this.#stream, { filter: subject }),
    )
  }

  async #removeOld(id: string): Promise<void> {
    const complete: number[] = []
    for (const stored of await this.#list(id)) {
      if (complete.length >= keptSnapshots && stored.sequence < complete.at(-1)!) {
        await this.#remove(stored.subject)
      } else if (complete.length < keptSnapshots && (await this.#isComplete(stored))) {
        if (!complete.includes(stored.sequence)) complete.push(stored.sequence)
      }
    }
  }
}

/** Undefined for a message that is no chunk. */
function headerOf(message: StoredMsg): ChunkHeader | undefined {
  const number = (field: string) => {
    const text = message.header.get(field)
    return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  }
  const index = number(fieldOf.index)
  const count = number(fieldOf.count)
  const bytes = number(fieldOf.bytes)
  if (!(index < count && bytes >= 0)) return undefined
  if (bytes > maxSnapshotBytes) {
    throw new CoordinationError(
      'COORDINATION_UNSUPPORTED',
      `a snapshot of ${bytes} bytes is too large: ${maxSnapshotBytes} are the most`,
    )
  }
  return { index, count, bytes, digest: message.header.get(fieldOf.digest) }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
