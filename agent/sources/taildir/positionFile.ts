// The formats of the two files in which a taildir source records its positions. The first is
// Flume's (`[{"inode":1,"pos":2,"file":"/a"}]`), so that the agent can take over from Flume and
// Flume from the agent; Flume fails on unknown fields, so there are none. The second file, beside
// it, has what Flume's lacks: device, generation, and fingerprints by which a file is recognized.
//
// Flume's file is authoritative for positions. An entry of the second file only adds to an entry of
// Flume's: if their positions differ, Flume has run since.

import type { FormerEnds } from '../../channelProcessor.ts'
import type { Fingerprint } from '../../channels/sourcePosition.ts'
import { AgentError } from '../../errors.ts'

export interface PositionEntry {
  readonly inode: number
  readonly pos: number
  readonly file: string
}

/** An entry of the second file. Offsets are in bytes. */
export interface FileNote {
  readonly device: number
  readonly inode: number
  readonly path: string
  readonly generation: number
  /** Every line before it was delivered or is in a durable channel. */
  readonly pos: number
  /** The same position of each channel, by channel name. */
  readonly channelEnds: Readonly<Record<string, number>>
  /** How far the file was read; lines between `pos` and `read` are in memory channels. */
  readonly read: number
  /** Truncated content: how far it was read and delivered, and the fingerprint before its end. */
  readonly former?: FormerEnds | undefined
  /** Fingerprint of the bytes before `fingerprintEnd`, which is at or shortly before `pos`. */
  readonly fingerprint: Fingerprint
  readonly fingerprintEnd: number
  /** Fingerprint of the first bytes of the file. */
  readonly head: Fingerprint
}

const version = 1

/** Returns the path of the second file. */
export function notesPath(positionFile: string): string {
  return `${positionFile}.millrace`
}

export function formatPositions(entries: readonly PositionEntry[]): Buffer {
  const plain = entries.map(({ inode, pos, file }) => ({ inode, pos, file }))
  return Buffer.from(JSON.stringify(plain))
}

export function parsePositions(content: Buffer, path: string): PositionEntry[] {
  if (content.length === 0) return []
  const parsed = parseJson(content)
  if (!Array.isArray(parsed) || !parsed.every(isEntry)) {
    throw new AgentError(
      'CONFIGURATION',
      `position file ${path} is not a list of {"inode", "pos", "file"}: repair it, or remove it to read all files from the start`,
    )
  }
  return parsed
}

export function formatNotes(files: readonly FileNote[]): Buffer {
  return Buffer.from(JSON.stringify({ version, files }))
}

/**
 * Parses the second file; undefined if malformed: it is only an addition, so that is not an error.
 */
export function parseNotes(content: Buffer): FileNote[] | undefined {
  const parsed = parseJson(content)
  if (!isRecord(parsed) || parsed.version !== version || !Array.isArray(parsed.files)) return
  return parsed.files.every(isNote) ? parsed.files : undefined
}

function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString())
  } catch {
    return undefined
  }
}

function isEntry(value: unknown): value is PositionEntry {
  if (!isRecord(value)) return false
  return Number.isSafeInteger(value.inode) && isOffset(value.pos) && typeof value.file === 'string'
}

function isNote(value: unknown): value is FileNote {
  if (!isRecord(value) || typeof value.path !== 'string') return false
  const { device, inode, generation, pos, read, fingerprintEnd, former } = value
  // A device number may be any number.
  if (typeof device !== 'number' || !Number.isSafeInteger(inode)) return false
  if (![generation, pos, read, fingerprintEnd].every(isOffset)) return false
  if (former !== undefined && !isFormer(former)) return false
  if (!isRecord(value.channelEnds) || !Object.values(value.channelEnds).every(isOffset))
    return false
  return isFingerprint(value.fingerprint) && isFingerprint(value.head)
}

function isFormer(value: unknown): value is FormerEnds {
  if (!isRecord(value) || !isOffset(value.end) || !isOffset(value.safeEnd)) return false
  const { channelEnds, fingerprint } = value
  return (
    isFingerprint(fingerprint) &&
    isRecord(channelEnds) &&
    Object.values(channelEnds).every(isOffset)
  )
}

function isFingerprint(value: unknown): value is Fingerprint {
  return isRecord(value) && isOffset(value.lengthBytes) && isOffset(value.crc)
}

function isOffset(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
