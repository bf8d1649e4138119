// The positions that a taildir source records: read at the start, written when they change. A
// failed write only causes repeated lines after a crash, so it is logged and retried.

import { dirname } from 'node:path'
import type { Disk, DiskStat } from '../../../protocol/runtime/disk/disk.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { FingerprintCheck, NotedPosition } from '../../channelProcessor.ts'
import { noFingerprint } from '../../channels/sourcePosition.ts'
import {
  type FileNote,
  formatNotes,
  formatPositions,
  notesPath,
  type PositionEntry,
  parseNotes,
  parsePositions,
} from './positionFile.ts'

/** A note that may be about a file that was found. */
export interface FoundNote extends NotedPosition {
  /** Bytes after `end` that were read but not delivered when the note was written. */
  readonly undeliveredBytes: number
}

export class PositionNotes {
  readonly #path: string
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #entries = new Map<string, PositionEntry>()
  readonly #notes = new Map<string, FileNote>()
  /** All loaded notes, by inode. */
  readonly #byInode = new Map<number, FileNote[]>()
  /** Content of the two files, as last written by this run. */
  #written: readonly [positions: string, notes: string] | undefined
  #isFailing = false

  constructor(path: string, disk: Disk, logger: Logger) {
    this.#path = path
    this.#disk = disk
    this.#logger = logger
  }

  /** Loads the notes; fails for a position file that Flume would not read either. */
  async load(): Promise<void> {
    await this.#disk.makeDirectory(dirname(this.#path))
    const content = await this.#disk.readFile(this.#path)
    // Removing the position file means to read all files from the start.
    if (content === undefined) return
    for (const entry of parsePositions(content, this.#path)) {
      this.#entries.set(entryKey(entry.inode, entry.file), entry)
    }
    const path = notesPath(this.#path)
    const second = await this.#disk.readFile(path)
    const notes = second === undefined ? [] : parseNotes(second)
    if (notes === undefined) {
      this.#logger.warn({ file: path }, 'second position file is not readable: ignored')
    }
    for (const note of notes ?? []) {
      this.#notes.set(deviceKey(note.device, note.inode), note)
      this.#byInode.set(note.inode, [...(this.#byInode.get(note.inode) ?? []), note])
    }
  }

  /**
   * Returns the note of an earlier run about a file. The caller must compare the file with its
   * checks.
   */
  find({ device, inode }: DiskStat, path: string): FoundNote | undefined {
    const exact = this.#notes.get(deviceKey(device, inode))
    // Device numbers may change when the host reboots.
    const note = exact ?? [...this.#notesOf(inode)].find((other) => other.path === path)
    if (note !== undefined) {
      const entry =
        this.#entries.get(entryKey(inode, note.path)) ?? this.#entries.get(entryKey(inode, path))
      return entry && explained(entry, note)
    }
    // As in Flume: an entry with another path is about another file.
    const entry = this.#entries.get(entryKey(inode, path))
    if (entry === undefined) return undefined
    const { pos } = entry
    const checks = [{ end: pos, fingerprint: noFingerprint }]
    return {
      end: pos,
      generation: 0,
      checks,
      channelEnds: {},
      former: undefined,
      undeliveredBytes: 0,
    }
  }

  /**
   * Drops the notes of files that no longer exist, and logs the bytes of them that were read but
   * not delivered. Other notes are kept, also in the position file, until their files can be
   * followed.
   */
  dropGone(mayExist: (file: { device?: number; inode: number; path: string }) => boolean): void {
    for (const [key, note] of this.#notes) {
      if (mayExist(note)) continue
      this.#notes.delete(key)
      this.#entries.delete(entryKey(note.inode, note.path))
      const { former = { end: 0, safeEnd: 0 } } = note
      const bytes = note.read - note.pos + former.end - former.safeEnd
      if (bytes === 0) continue
      this.#logger.warn(
        { file: note.path, bytes },
        'file no longer exists: bytes that were read, but that no sink is known to have committed, may be lost',
      )
    }
    const noted = new Set([...this.#notes.values()].map(({ inode, path }) => entryKey(inode, path)))
    for (const [key, { inode, file }] of this.#entries) {
      if (!noted.has(key) && !mayExist({ inode, path: file })) this.#entries.delete(key)
    }
  }

  /** Discards the notes of a file that is now followed. */
  settle({ device, inode }: DiskStat, path: string): void {
    for (const note of [...this.#notesOf(inode)]) {
      if (note.device !== device && note.path !== path) continue
      this.#notes.delete(deviceKey(note.device, inode))
      this.#entries.delete(entryKey(inode, note.path))
    }
    this.#entries.delete(entryKey(inode, path))
  }

  /** Writes both files if their content changes; returns false if that fails. */
  async write(notes: readonly FileNote[]): Promise<boolean> {
    const entries = notes.map(({ inode, pos, path }) => ({ inode, pos, file: path }))
    const positions = formatPositions([...entries, ...this.#entries.values()])
    const second = formatNotes([...notes, ...this.#notes.values()])
    const content = [positions.toString(), second.toString()] as const
    if (this.#written?.[0] === content[0] && this.#written[1] === content[1]) return true
    try {
      // Flume's file first: after a crash in between, the second file only has less to add.
      await this.#disk.writeFileAtomic(this.#path, positions)
      await this.#disk.writeFileAtomic(notesPath(this.#path), second)
      this.#written = content
      this.#isFailing = false
      return true
    } catch (error) {
      if (this.#isFailing) return false
      this.#isFailing = true
      this.#logger.warn(
        { file: this.#path, error },
        'failed to write the position file, will retry; after a crash, lines since its last write may be repeated',
      )
      return false
    }
  }

  *#notesOf(inode: number): Iterable<FileNote> {
    for (const note of this.#byInode.get(inode) ?? []) {
      if (this.#notes.get(deviceKey(note.device, inode)) === note) yield note
    }
  }
}

function explained(entry: PositionEntry, note: FileNote): FoundNote {
  const checks: FingerprintCheck[] = [
    { end: entry.pos, fingerprint: noFingerprint },
    { end: note.fingerprintEnd, fingerprint: note.fingerprint },
    { end: note.head.lengthBytes, fingerprint: note.head },
  ]
  const { generation, former } = note
  // If Flume ran since, its position is that of all channels.
  const channelEnds = entry.pos === note.pos ? note.channelEnds : {}
  const undeliveredBytes = note.read - note.pos
  return { end: entry.pos, generation, checks, channelEnds, former, undeliveredBytes }
}

function entryKey(inode: number, path: string): string {
  return `${inode}:${path}`
}

function deviceKey(device: number, inode: number): string {
  return `${device}:${inode}`
}
