// The files that a taildir source follows: detects new files, new names of known files and files
// that lost their name, and decides where reading begins. An idle file costs one status read per
// scan; the more files there are, the less often they are scanned.

import { dirname } from 'node:path'
import { isOperational } from '../../../protocol/runtime/operational.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { ChannelProcessor, FormerPosition, ResumePosition } from '../../channelProcessor.ts'
import type { SourcePosition } from '../../channels/sourcePosition.ts'
import { AgentError } from '../../errors.ts'
import type { TailedFiles } from '../../monitoring/counters.ts'
import { Copies } from './copies.ts'
import type { FileSearch, Found, FoundFile } from './fileSearch.ts'
import type { OpenFiles } from './openFiles.ts'
import type { FoundNote, PositionNotes } from './positionNotes.ts'
import type { TaildirOptions } from './taildirOptions.ts'
import { type FormerContent, TailFile } from './tailFile.ts'

/** Interval between checks of directories for new, changed or removed names. */
const directoryLookMs = 250
/** A full scan reads the status of every file: interval per followed file, and the maximum. */
const scanMsPerFile = 2
const longestScanIntervalMs = 5000
/** Time until a file that failed to open or to be read is retried. */
const unreadableRetryMs = 5000

export interface FollowedFilesParts {
  readonly source: string
  readonly options: TaildirOptions
  readonly clock: Clock
  readonly logger: Logger
  readonly processor: ChannelProcessor
  readonly search: FileSearch
  readonly openFiles: OpenFiles
  readonly notes: PositionNotes
}

interface Unopened {
  /** Monotonic time of the next attempt. */
  readonly retryMs: number
  /** Whether its position is known. */
  readonly isKnown: boolean
}

export class FollowedFiles {
  readonly #parts: FollowedFilesParts
  readonly #files = new Map<string, TailFile>()
  /** Files that are no longer followed, kept while memory channels may hold their lines. */
  readonly #departed = new Map<string, TailFile>()
  /**
   * Known files with new content that may be a copy; not read yet, but may have been copied from.
   */
  readonly #replaced = new Map<string, TailFile>()
  readonly #copies = new Copies()
  /** Files that failed to open, by key. */
  readonly #unopened = new Map<string, Unopened>()
  /** Path of the last file that failed to open. */
  #lastUnopened = ''
  #isFirstScan = true
  /**
   * Whether a known file that is not followed may have a name out of the pattern: at the start, and
   * as long as one could not be looked at.
   */
  #mayBeRenamed = true
  /** Whether this scan found a known file that was not there any more when it was opened. */
  #hasLostKnown = false
  #scannedMs = Number.NEGATIVE_INFINITY
  #lookedMs = Number.NEGATIVE_INFINITY

  constructor(parts: FollowedFilesParts) {
    this.#parts = parts
  }

  [Symbol.iterator](): Iterator<TailFile> {
    return this.#files.values()
  }

  /** Whether a first scan has been made. */
  get hasScanned(): boolean {
    return !this.#isFirstScan
  }

  /** Figures for monitoring, as of the last scan and the reads since. */
  tailed(): TailedFiles {
    let bytesBehind = 0
    let unreadable = this.#unopened.size
    for (const { seen, position, isUnreadable } of this.#files.values()) {
      bytesBehind += Math.max(0, seen.sizeBytes - position.offset)
      if (isUnreadable) unreadable++
    }
    return { files: this.#files.size, unreadable, bytesBehind }
  }

  /** Scans if a scan is due; returns true if positions should be recorded. */
  async scanIfDue(): Promise<boolean> {
    const { clock, options, search } = this.#parts
    const nowMs = clock.monotonicMs()
    const usualMs = Math.min(longestScanIntervalMs, this.#files.size * scanMsPerFile)
    const intervalMs = this.#copies.areWaiting ? 0 : usualMs
    if (nowMs - this.#scannedMs < Math.max(options.pollInterval, intervalMs)) {
      if (nowMs - this.#lookedMs < directoryLookMs) return false
      this.#lookedMs = nowMs
      if (!(await search.mayHaveChanged())) return false
    }
    this.#scannedMs = nowMs
    this.#lookedMs = nowMs
    return await this.#scan(nowMs)
  }

  /** Files that are no longer followed, but whose lines channels may still hold. */
  get departed(): Iterable<TailFile> {
    return this.#departed.values()
  }

  /** Drops a departed file: all its lines were delivered. */
  forget(file: TailFile): void {
    this.#departed.delete(keyOf(file))
  }

  /** Closes an idle file, and stops following it if it has no name. */
  async letGo(file: TailFile): Promise<void> {
    await this.#parts.openFiles.close(file)
    if (file.isOrphan) this.#depart(file)
  }

  /** Number of files that cannot be read now, and the path of one of them. */
  unreadable(): { readonly count: number; readonly first: string } {
    const skipped = [...this.#files.values()].filter(({ isUnreadable }) => isUnreadable)
    const count = skipped.length + this.#unopened.size
    return { count, first: skipped[0]?.path ?? this.#lastUnopened }
  }

  /** Skips a file for a while; the reason is logged once. */
  skip(file: TailFile, error: unknown): void {
    const { clock } = this.#parts
    file.retryMs = clock.monotonicMs() + unreadableRetryMs
    if (!file.isUnreadable) this.#warnUnreadable(file.path, error)
    file.isUnreadable = true
  }

  async #scan(nowMs: number): Promise<boolean> {
    const found = await this.#parts.search.find(this.#mayBeRenamed)
    const byKey = keyed(found)
    const vanished: TailFile[] = []
    for (const [key, file] of this.#files) {
      const now = byKey.get(key)
      if (now !== undefined) this.#see(file, now)
      else if (
        !found.unknownDirectories.has(dirname(file.path)) &&
        !found.unknownPaths.has(file.path)
      ) {
        file.isOrphan = true
        if (!file.isOpen) vanished.push(file)
      }
    }
    if (vanished.length > 0) await this.#findVanished(vanished)
    const fresh = [...byKey.values()].filter(({ stat }) => !this.#files.has(keyOf(stat)))
    fresh.sort((a, b) => a.stat.modifiedMs - b.stat.modifiedMs)
    for (const key of this.#unopened.keys()) if (!byKey.has(key)) this.#unopened.delete(key)
    for (const key of this.#replaced.keys()) if (!byKey.has(key)) this.#replaced.delete(key)
    this.#copies.retain(byKey)
    let hasNews = false
    for (const isKnownPass of [true, false]) {
      for (const file of fresh) {
        if (this.#files.has(keyOf(file.stat))) continue
        if ((await this.#tryToAdopt(file, isKnownPass, nowMs)) === 'adopted') hasNews = true
      }
    }
    // The head of a file is recorded even if its channels are full for long: by the head the file
    // is found when it is renamed meanwhile.
    for (const file of this.#files.values()) {
      if (file.head.length > 0 || file.seen.sizeBytes === 0 || file.isUnreadable) continue
      try {
        await this.#parts.openFiles.use(file, () => file.takeHead())
        hasNews ||= file.head.length > 0
      } catch (error) {
        if (!isOperational(error)) throw error
        this.skip(file, error)
      }
    }
    if (this.#mayBeRenamed) this.#parts.notes.dropGone((note) => mayExist(note, found, byKey))
    const isAllSeen = found.unknownDirectories.size === 0 && found.unknownPaths.size === 0
    const isKnownUnopened = [...this.#unopened.values()].some(({ isKnown }) => isKnown)
    const isUnsure = this.#mayBeRenamed && !isAllSeen
    this.#mayBeRenamed = isUnsure || isKnownUnopened || this.#hasLostKnown
    this.#hasLostKnown = false
    this.#isFirstScan = false
    return hasNews
  }

  #see(file: TailFile, { path, stat, matches }: FoundFile): void {
    file.isOrphan = !matches
    if (file.path !== path) {
      file.formerPath = file.path
      file.path = path
      file.hasNews = true
    }
    const { sizeBytes, modifiedMs } = file.seen
    if (stat.sizeBytes !== sizeBytes || stat.modifiedMs !== modifiedMs) {
      file.hasNews = true
      // A file that changes is not idle, however long it was before.
      file.lastReadMs = this.#scannedMs
    }
    file.seen = stat
  }

  /**
   * Handles files that lost their names and are not open: renamed out of the pattern, or removed.
   */
  async #findVanished(vanished: readonly TailFile[]): Promise<void> {
    const found = await this.#parts.search.find(true)
    const byKey = keyed(found)
    const unknown = new Set([...found.unknownDirectories, ...[...found.unknownPaths].map(dirname)])
    for (const file of vanished) {
      const now = byKey.get(keyOf(file))
      // It may have a name that could not be seen: the next scan looks again.
      if (now === undefined && unknown.has(dirname(file.path))) continue
      if (now !== undefined) this.#see(file, now)
      const unreadBytes = file.seen.sizeBytes - file.position.offset
      if (now !== undefined && unreadBytes > 0) continue
      this.#depart(file)
      if (now !== undefined || unreadBytes <= 0) continue
      this.#parts.logger.warn(
        { source: this.#parts.source, file: file.path, bytes: unreadBytes },
        'file was removed before it was read to its end: its last bytes are lost',
      )
    }
  }

  #depart(file: TailFile): void {
    this.#files.delete(keyOf(file))
    this.#departed.set(keyOf(file), file)
  }

  /**
   * Starts following a file, if it can be decided where. A first pass (`isKnownPass`) resumes
   * unchanged known files; a second pass judges the others, because any file with new content may
   * have a copy among them that sorts before it.
   */
  async #tryToAdopt(
    found: FoundFile,
    isKnownPass: boolean,
    nowMs: number,
  ): Promise<'adopted' | 'not yet'> {
    const { path, stat } = found
    const key = keyOf(stat)
    const unopened = this.#unopened.get(key)
    if (unopened !== undefined && nowMs < unopened.retryMs) return 'not yet'
    try {
      return await this.#adopt(found, isKnownPass, nowMs)
    } catch (error) {
      if (!isOperational(error) || error instanceof AgentError) throw error
      const isKnown = this.#resumePosition(found).known !== undefined
      if (unopened === undefined && found.matches) this.#warnUnreadable(path, error)
      this.#unopened.set(key, { retryMs: nowMs + unreadableRetryMs, isKnown })
      this.#lastUnopened = path
      return 'not yet'
    }
  }

  async #adopt(
    found: FoundFile,
    isKnownPass: boolean,
    nowMs: number,
  ): Promise<'adopted' | 'not yet'> {
    const { path, group, stat, matches } = found
    const { options, openFiles, logger, notes, source } = this.#parts
    const { known, noted } = this.#resumePosition(found)
    // While the agent was stopped, a file may have been renamed out of the pattern with unread
    // lines. It is followed only if a fingerprint proves its identity.
    if (!matches && (known === undefined || known.end >= stat.sizeBytes || !isProof(known)))
      return 'not yet'
    // An empty file may become a copy of another: only its content can tell.
    if (known === undefined && (isKnownPass || stat.sizeBytes === 0)) return 'not yet'
    const { device, inode } = stat
    const file = new TailFile(
      { device, inode, path, group: group.name },
      stat,
      options.maxLineBytes,
      nowMs,
    )
    file.isOrphan = !matches
    const begun = await openFiles.use(file, async () => {
      return await this.#begin(file, found, known, noted, isKnownPass, nowMs)
    })
    if (begun !== true) {
      // Renamed or removed since it was found: the next scan shows which.
      if (begun === undefined && known !== undefined) this.#hasLostKnown = true
      await openFiles.close(file)
      return 'not yet'
    }
    this.#files.set(keyOf(stat), file)
    this.#departed.delete(keyOf(stat))
    notes.settle(stat, path)
    if (this.#unopened.delete(keyOf(stat))) {
      logger.info({ source, file: path }, 'file is readable again')
    }
    return 'adopted'
  }

  /** Decides where reading of an open file begins; returns false if it cannot be decided yet. */
  async #begin(
    file: TailFile,
    found: FoundFile,
    known: ResumePosition | undefined,
    noted: FoundNote | undefined,
    isKnownPass: boolean,
    nowMs: number,
  ): Promise<boolean> {
    const { options, processor, source } = this.#parts
    const { matches, stat } = found
    if (known !== undefined && (await file.matches(known.checks))) {
      // If a channel has no position of it, the file may be a copy of which other channels have
      // one.
      const isKnownToAll = noted !== undefined || processor.isKnownToAll(source, stat)
      if (!isKnownToAll && matches) {
        if (isKnownPass) return false
        const judged = await this.#judge(file, found, known.generation, nowMs)
        if (judged !== 'new') return judged === 'begun'
      }
      await processor.putChannelEnds(known.channelEnds, this.#positionIn(file, known.generation))
      await file.beginAt(known.end, known.generation)
      // The file may be truncated before it is read, and some channels may be ahead.
      file.checks = known.checks
      if (known.former !== undefined) file.former = formerContent(known.former, nowMs)
      this.#warnOfLostBytes(found, noted?.former)
      return true
    }
    if (!matches) return false
    if (known === undefined && options.skipToEnd && this.#isFirstScan) {
      await file.beginAt(stat.sizeBytes, 0)
      return true
    }
    const generation = known === undefined ? 0 : known.generation + 1
    if (known !== undefined) {
      file.former = this.#formerOf(found, known, noted, nowMs)
      if (known.former !== undefined) file.olderFormers = [formerContent(known.former, nowMs)]
      this.#replaced.set(keyOf(file), file)
      if (isKnownPass) return false
    }
    const judged = await this.#judge(file, found, generation, nowMs)
    if (judged === 'wait') return false
    this.#replaced.delete(keyOf(file))
    if (judged === 'new') await file.beginAt(0, generation)
    if (known !== undefined) this.#warnOfReplaced(found, known, noted)
    return true
  }

  /** Returns the known content of a file that was replaced; a copy of that content may appear. */
  #formerOf(
    { stat }: FoundFile,
    { end, generation, fingerprint, checks }: ResumePosition,
    noted: FoundNote | undefined,
    nowMs: number,
  ): FormerContent {
    const { source, processor } = this.#parts
    // The furthest check with a fingerprint: a position between two puts has none.
    const last = checks
      .filter((check) => check.fingerprint.lengthBytes > 0)
      .reduce((a, b) => (b.end > a.end ? b : a), {
        end: fingerprint.lengthBytes && end,
        fingerprint,
      })
    const baseEnd = noted?.end ?? 0
    const ends = { end: last.end, safeEnd: baseEnd, channelEnds: {} }
    const safeEnds = noted?.generation === generation ? noted.channelEnds : {}
    const channelEnds = processor.channelEnds(source, stat, generation, ends, safeEnds)
    return formerContent({ generation, ...last, baseEnd, channelEnds }, nowMs)
  }

  #warnOfReplaced(found: FoundFile, known: ResumePosition, noted: FoundNote | undefined): void {
    const { logger, source } = this.#parts
    logger.warn(
      { source, file: found.path, offset: known.end },
      'file was truncated or replaced while it was not followed: reading from its start',
    )
    this.#warnOfLostBytes(found, noted?.former)
    if (noted !== undefined) {
      this.#warnOfLostBytes(found, { end: noted.end + noted.undeliveredBytes, safeEnd: noted.end })
    }
  }

  /**
   * Decides whether a file is a copy of another or may become one. Reading of a copy has `begun`.
   */
  async #judge(
    file: TailFile,
    { path, stat }: FoundFile,
    generation: number,
    nowMs: number,
  ): Promise<'begun' | 'wait' | 'new'> {
    const { logger, source, processor, openFiles } = this.#parts
    await file.lookAtHead(nowMs)
    const others = [...this.#files.values(), ...this.#replaced.values()].filter(
      (other) => other !== file,
    )
    for (const other of this.#files.values()) {
      // Content that is not read yet may have been copied as well; its head is read once per scan.
      if (!other.hasNews || other.isUnreadable || other.headNow?.readMs === nowMs) continue
      await openFiles
        .use(other, () => other.lookAtHead(nowMs))
        .catch((error: unknown) => this.skip(other, error))
    }
    const judged = await this.#copies.judge(keyOf(file), file, stat, others, nowMs)
    if (judged === 'wait' || judged === 'new') return judged
    const { copiedFrom, former } = judged
    const offset = Math.min(...former.channelEnds)
    await processor.putChannelEnds(former.channelEnds, this.#positionIn(file, generation))
    const safeEnd = Math.min(offset, processor.safeEnd(source, copiedFrom, former))
    await file.beginAt(offset, generation, safeEnd)
    file.copyOf = { file: copiedFrom, former }
    // Not before: a channel may refuse the put, and the file is judged again.
    logger.info(
      { source, file: path, original: copiedFrom.path, offset },
      'file is a copy of a truncated file: reading continues after the bytes already read',
    )
    return 'begun'
  }

  /** Returns a function that makes positions in an open file, to be put without events. */
  #positionIn(file: TailFile, generation: number): (end: number) => Promise<SourcePosition> {
    const { device, inode, path } = file
    const { source } = this.#parts
    return async (end) => {
      const fingerprint = await file.fingerprintAt(end)
      return { source, path, device, inode, generation, start: 0, end, fingerprint }
    }
  }

  #warnOfLostBytes(
    { path }: FoundFile,
    content: { readonly end: number; readonly safeEnd: number } | undefined,
  ): void {
    const bytes = content === undefined ? 0 : content.end - content.safeEnd
    if (bytes <= 0) return
    this.#parts.logger.warn(
      { source: this.#parts.source, file: path, bytes },
      'earlier content of the file was read before the last stop, and no sink is known to have committed its last bytes: lost, unless a copy of the file is followed',
    )
  }

  /** Returns the position where an earlier run stopped, and the note in its position file. */
  #resumePosition({ stat, path, matches }: FoundFile): {
    known: ResumePosition | undefined
    noted: FoundNote | undefined
  } {
    const { processor, notes, source } = this.#parts
    const noted = notes.find(stat, path)
    return { known: processor.resumePosition(source, stat, noted, !matches), noted }
  }

  #warnUnreadable(path: string, error: unknown): void {
    const { logger, source } = this.#parts
    logger.warn(
      { source, file: path, error: (error as Error).message, retryMs: unreadableRetryMs },
      'failed to read file: skipped until it is readable',
    )
  }
}

/** Former content of which only the end is known. */
function formerContent(position: FormerPosition, truncatedMs: number): FormerContent {
  return { position, head: Buffer.alloc(0), truncatedMs }
}

/** Maps the found files by identity; of several names of a file, one that matches is used. */
function keyed({ files }: Found): Map<string, FoundFile> {
  const byKey = new Map<string, FoundFile>()
  for (const file of files) {
    const key = keyOf(file.stat)
    if (file.matches || !byKey.has(key)) byKey.set(key, file)
  }
  return byKey
}

/** Whether the file of a note was found or may exist in a directory that could not be listed. */
function mayExist(
  { device, inode, path }: { device?: number; inode: number; path: string },
  { files, unknownDirectories, unknownPaths }: Found,
  byKey: ReadonlyMap<string, FoundFile>,
): boolean {
  if (unknownPaths.has(path) || unknownDirectories.has(dirname(path))) return true
  if (device !== undefined) return byKey.has(keyOf({ device, inode }))
  return files.some((file) => file.path === path && file.stat.inode === inode)
}

function isProof({ checks }: ResumePosition): boolean {
  return checks.some(({ fingerprint }) => fingerprint.lengthBytes > 0)
}

function keyOf({ device, inode }: { device: number; inode: number }): string {
  return `${device}:${inode}`
}
