// The position of a source in a file. A put carries it into the channel together with its events,
// so that both are stored or neither is: this is what makes a line enter a channel exactly once.

import { assert } from '../../protocol/runtime/assert.ts'

/** Checksum of the bytes before an offset: tells a file that grew from one that was replaced. */
export interface Fingerprint {
  /** Number of compared bytes before the offset; 0 matches any file. */
  readonly lengthBytes: number
  /** Their CRC-32C. */
  readonly crc: number
}

/** The fingerprint of no bytes: matches any file. */
export const noFingerprint: Fingerprint = { lengthBytes: 0, crc: 0 }

export interface FileIdentity {
  readonly device: number
  readonly inode: number
  /**
   * Number of truncations of the file that were seen; offsets of two generations are not
   * comparable.
   */
  readonly generation: number
}

export interface SourcePosition extends FileIdentity {
  /** Name of the source in the agent. */
  readonly source: string
  /** For messages only: the file may have been renamed since. */
  readonly path: string
  /** Offsets in the file of the batch's first byte and after its last byte, line end included. */
  readonly start: number
  readonly end: number
  /** Fingerprint of the bytes before `end`. */
  readonly fingerprint: Fingerprint
}

/** The position up to which no event of a file would be lost if the process ended now. */
export interface SafePosition {
  readonly generation: number
  readonly end: number
  /** Fingerprint of the bytes before `fingerprintEnd`, which is at or shortly before `end`. */
  readonly fingerprint: Fingerprint
  readonly fingerprintEnd: number
}

/** The last position of each file, by source; at most `maxFilesPerSource` files per source. */
export class SourcePositions {
  readonly #sources = new Map<string, Map<string, SourcePosition>>()

  get(
    source: string,
    identity: Pick<FileIdentity, 'device' | 'inode'>,
  ): SourcePosition | undefined {
    return this.#sources.get(source)?.get(fileKey(identity))
  }

  /** Sets the position of a file to a later one. */
  advance(position: SourcePosition): void {
    const last = this.#replace(position)
    assert(last === undefined || !isBehind(position, last), 'a position of a file never goes back')
  }

  /**
   * Sets the position of a file, which may go back: after a failed put, or while a log is replayed.
   */
  set(position: SourcePosition): void {
    this.#replace(position)
  }

  #replace(position: SourcePosition): SourcePosition | undefined {
    const files = this.#sources.get(position.source) ?? new Map<string, SourcePosition>()
    this.#sources.set(position.source, files)
    const key = fileKey(position)
    const last = files.get(key)
    files.delete(key)
    files.set(key, position)
    if (files.size > maxFilesPerSource) files.delete(files.keys().next().value!)
    return last
  }

  delete({ source, ...identity }: Pick<SourcePosition, 'source' | 'device' | 'inode'>): void {
    this.#sources.get(source)?.delete(fileKey(identity))
  }

  *all(): Iterable<SourcePosition> {
    for (const files of this.#sources.values()) yield* files.values()
  }
}

/** Bound of memory: with more files, the position of the file put longest ago is dropped. */
const maxFilesPerSource = 10_000

function fileKey(identity: Pick<FileIdentity, 'device' | 'inode'>): string {
  return `${identity.device}:${identity.inode}`
}

/** Whether a position is before another one of the same file. */
export function isBehind(position: SourcePosition, other: SourcePosition): boolean {
  if (position.generation !== other.generation) return position.generation < other.generation
  return position.end < other.end
}

/**
 * How a put follows the last put of the same file. `next`: it starts at its end. `known`: the
 * channel already has the bytes up to `until`, because the source went back for another of its
 * channels. `gap`: bytes in between are missing, because an earlier put failed.
 */
export type PositionFit = { kind: 'next' } | { kind: 'known'; until: number } | { kind: 'gap' }

export function fitPosition(last: SourcePosition | undefined, next: SourcePosition): PositionFit {
  if (last === undefined || next.generation > last.generation) return { kind: 'next' }
  if (next.generation < last.generation) return { kind: 'gap' }
  if (next.start === last.end) return { kind: 'next' }
  return next.start < last.end ? { kind: 'known', until: last.end } : { kind: 'gap' }
}
