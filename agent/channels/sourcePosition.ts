// Where in a file a batch of events comes from. A put carries it into the channel, so that events
// and position are kept, or lost, together: that is what makes a line enter a channel exactly once.

/** What was in a file just before an offset: tells a file that grew from one that was replaced. */
export interface Fingerprint {
  /** Number of bytes before the offset that are compared; 0 matches everything. */
  readonly lengthBytes: number
  /** Their CRC-32C. */
  readonly crc: number
}

/** Of nothing: matches any file. */
export const noFingerprint: Fingerprint = { lengthBytes: 0, crc: 0 }

export interface FileIdentity {
  readonly device: number
  readonly inode: number
  /** How many times the file was found truncated: offsets of two generations do not compare. */
  readonly generation: number
}

export interface SourcePosition extends FileIdentity {
  /** The source's name in the agent. */
  readonly source: string
  /** A label only: the file may have been renamed since. */
  readonly path: string
  /** Offsets in the file of the batch's first byte and after its last one, line end included. */
  readonly start: number
  readonly end: number
  /** Of the bytes before `end`. */
  readonly fingerprint: Fingerprint
}

/** End of the content of a file that would not be lost if the process ended now. */
export interface SafePosition {
  readonly generation: number
  readonly end: number
  /** Of the bytes before `fingerprintEnd`, which is `end` or a little before it. */
  readonly fingerprint: Fingerprint
  readonly fingerprintEnd: number
}

/** The last position of each file that each source put: at most `maxFilesPerSource` a source. */
export class SourcePositions {
  readonly #sources = new Map<string, Map<string, SourcePosition>>()

  get(
    source: string,
    identity: Pick<FileIdentity, 'device' | 'inode'>,
  ): SourcePosition | undefined {
    return this.#sources.get(source)?.get(fileKey(identity))
  }

  set(position: SourcePosition): void {
    const files = this.#sources.get(position.source) ?? new Map<string, SourcePosition>()
    this.#sources.set(position.source, files)
    const key = fileKey(position)
    files.delete(key)
    files.set(key, position)
    if (files.size > maxFilesPerSource) files.delete(files.keys().next().value!)
  }

  delete({ source, ...identity }: Pick<SourcePosition, 'source' | 'device' | 'inode'>): void {
    this.#sources.get(source)?.delete(fileKey(identity))
  }

  *all(): Iterable<SourcePosition> {
    for (const files of this.#sources.values()) yield* files.values()
  }
}

/** Beyond this many the file that was put from longest ago is forgotten: memory has a bound. */
const maxFilesPerSource = 10_000

function fileKey(identity: Pick<FileIdentity, 'device' | 'inode'>): string {
  return `${identity.device}:${identity.inode}`
}

/**
 * How a put fits to the last one of the same file. `next`: it follows. `known`: the channel has the
 * bytes up to `until` already, because the source went back behind what another of its channels
 * lacked. `gap`: bytes between are missing, because an earlier put failed.
 */
export type PositionFit = { kind: 'next' } | { kind: 'known'; until: number } | { kind: 'gap' }

export function fitPosition(last: SourcePosition | undefined, next: SourcePosition): PositionFit {
  if (last === undefined || next.generation > last.generation) return { kind: 'next' }
  if (next.generation < last.generation) return { kind: 'gap' }
  if (next.start === last.end) return { kind: 'next' }
  return next.start < last.end ? { kind: 'known', until: last.end } : { kind: 'gap' }
}
