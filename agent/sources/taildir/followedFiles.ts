// The files that a taildir source follows: finds new files, new names of known files and files without a
// name, and decides where reading begins. An idle file costs one status read per scan, and scans are
// rarer the more files there are.

import { dirname } from 'node:path'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import { isOperational } from '../../../protocol/runtime/operational.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
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
/** A full scan looks at every file: so many of these pass for each, up to the longest. */
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

export class FollowedFiles {
  readonly #parts: FollowedFilesParts
  readonly #files = new Map<string, TailFile>()
  /** Files read to their end and closed permanently, kept while memory channels may hold their lines. */
  readonly #departed = new Map<string, TailFile>()
  /** Known files with new content that may be a copy: not read yet, but copied from, perhaps. */
  readonly #replaced = new Map<string, TailFile>()
  readonly #copies = new Copies()
  /** Files that failed to open, by key, with the time of the next attempt. */
  readonly #unopened = new Map<string, number>()
  /** The path of the last one of them. */
  #lastUnopened = ''
  #isFirstScan = true
  #scannedMs = Number.NEGATIVE_INFINITY
  #lookedMs = Number.NEGATIVE_INFINITY

  constructor(parts: FollowedFilesParts) {
    this.#parts = parts
  }

  [Symbol.iterator](): Iterator<TailFile> {
    return this.#files.values()
  }

  /** False until the files are known for the first time. */
  get hasScanned(): boolean {
    return !this.#isFirstScan
  }

  /** As of the last scan, and of what has been read since. */
  tailed(): TailedFiles {
    let bytesBehind = 0
    let unreadable = this.#unopened.size
    for (const { seen, position, isUnreadable } of this.#files.values()) {
      bytesBehind += Math.max(0, seen.sizeBytes - position.offset)
      if (isUnreadable) unreadable++
    }
    return { files: this.#files.size, unreadable, bytesBehind }
  }

  /** Scans when a scan is due; true when there is something new to note. */
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

  /** Files that are not followed any more, and of which channels may still hold lines. */
  get departed(): Iterable<TailFile> {
    return this.#departed.values()
  }

  /** Every line of a departed file has been delivered. */
  forget(file: TailFile): void {
    this.#departed.delete(keyOf(file))
  }

  /** Closes an idle file; a file without a name is no longer followed. */
  async letGo(file: TailFile): Promise<void> {
    await this.#parts.openFiles.close(file)
    if (file.isOrphan) this.#depart(file)
  }

  /** Known files that currently cannot be read, and the path of one of them. */
  unreadable(): { readonly count: number; readonly first: string } {
    const skipped = [...this.#files.values()].filter(({ isUnreadable }) => isUnreadable)
    const count = skipped.length + this.#unopened.size
    return { count, first: skipped[0]?.path ?? this.#lastUnopened }
  }

  /** Skips a file until later; the reason is logged once. */
  skip(file: TailFile, error: unknown): void {
    const { clock } = this.#parts
    file.retryMs = clock.monotonicMs() + unreadableRetryMs
    if (!file.isUnreadable) this.#warnUnreadable(file.path, error)
    file.isUnreadable = true
  }

  async #scan(nowMs: number): Promise<boolean> {
    const found = await this.#parts.search.find(this.#isFirstScan)
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
    // Their channels may be full for long, and they be renamed meanwhile: the note says what they begin
    // with.
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
    if (this.#isFirstScan) this.#parts.notes.dropGone((note) => mayExist(note, found, byKey))
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
      // A line that has just begun is not idle, however long the file was.
      file.lastReadMs = this.#scannedMs
    }
    file.seen = stat
  }

  /** Files whose names are gone and that are not open: renamed out of the pattern, or removed. */
  async #findVanished(vanished: readonly TailFile[]): Promise<void> {
    const byKey = keyed(await this.#parts.search.find(true))
    for (const file of vanished) {
      const now = byKey.get(keyOf(file))
      if (now !== undefined) this.#see(file, now)
      const unreadBytes = file.seen.sizeBytes - file.position.offset
      if (now !== undefined && unreadBytes > 0) continue
      this.#depart(file)
      if (now !== undefined || unreadBytes <= 0) continue
      this.#parts.logger.warn(
        { source: this.#parts.source, file: file.path, bytes: unreadBytes },
        'file was removed before its end was read: lost',
      )
    }
  }

  #depart(file: TailFile): void {
    this.#files.delete(keyOf(file))
    this.#departed.set(keyOf(file), file)
  }

  /**
   * The pass of the known resumes files that are what they were. Only then are the others judged: any
   * file with new content may have a copy among them, under a name and an inode that sort before its own.
   */
  async #tryToAdopt(
    found: FoundFile,
    isKnownPass: boolean,
    nowMs: number,
  ): Promise<'adopted' | 'not yet'> {
    const { path, stat } = found
    const key = keyOf(stat)
    const retryMs = this.#unopened.get(key)
    if (retryMs !== undefined && nowMs < retryMs) return 'not yet'
    try {
      return await this.#adopt(found, isKnownPass, nowMs)
    } catch (error) {
      if (!isOperational(error) || error instanceof AgentError) throw error
      if (retryMs === undefined && found.matches) this.#warnUnreadable(path, error)
      this.#unopened.set(key, nowMs + unreadableRetryMs)
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
    // After a start a file may have been renamed out of the pattern with lines left to read. Without
    // proof that it is that file, it is not followed.
    if (!matches && (known === undefined || known.end >= stat.sizeBytes || !isProof(known)))
      return 'not yet'
    // What will be in an empty one may be a copy: only its content can tell.
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

  /** Decides where reading begins; false when it does not, yet. The file is open. */
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
      // A channel that knows nothing of it: the file may be a copy, of which others have been told.
      const isKnownToAll = noted !== undefined || processor.isKnownToAll(source, stat)
      if (!isKnownToAll && matches) {
        if (isKnownPass) return false
        const judged = await this.#judge(file, found, known.generation, nowMs)
        if (judged !== 'new') return judged === 'begun'
      }
      await processor.putChannelEnds(known.channelEnds, this.#positionIn(file, known.generation))
      await file.beginAt(known.end, known.generation)
      // It may be truncated before it is read, and some channels may be ahead.
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

  /** The known content of the file was replaced; a copy of it may appear. */
  #formerOf(
    { stat }: FoundFile,
    { end, generation, fingerprint, checks }: ResumePosition,
    noted: FoundNote | undefined,
    nowMs: number,
  ): FormerContent {
    const { source, processor } = this.#parts
    // What tells the content: a position between two puts has no fingerprint of its own.
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

  /** Whether the file is a copy of another, or may become one; reading of a copy has `begun`. */
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
      // Content that is not read yet may be copied as well. Once a scan.
      if (!other.hasNews || other.isUnreadable || other.headNow?.readMs === nowMs) continue
      await openFiles
        .use(other, () => other.lookAtHead(nowMs))
        .catch((error: unknown) => this.skip(other, error))
    }
    const judged = await this.#copies.judge(keyOf(file), file, stat, others, nowMs)
    if (judged === 'wait' || judged === 'new') return judged
    const { copiedFrom, former } = judged
    const offset = Math.min(...former.channelEnds)
    logger.info(
      { source, file: path, original: copiedFrom.path, offset },
      'file is a copy of a truncated file: reading continues after the bytes already read',
    )
    await processor.putChannelEnds(former.channelEnds, this.#positionIn(file, generation))
    const safeEnd = Math.min(offset, processor.safeEnd(source, copiedFrom, former))
    await file.beginAt(offset, generation, safeEnd)
    file.copyOf = { file: copiedFrom, former }
    return 'begun'
  }

  /** Positions in an open file for channels that get no events with them. */
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
      'bytes of earlier content were read before the last stop, and no sink is known to have committed them: lost, unless a copy of it is followed',
    )
  }

  /** Where an earlier run stopped, and what its position file said. */
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

/** Content of which only the end is known. */
function formerContent(position: FormerPosition, truncatedMs: number): FormerContent {
  return { position, head: Buffer.alloc(0), truncatedMs }
}

/** A file of several names is known by the one that matches. */
function keyed({ files }: Found): Map<string, FoundFile> {
  const byKey = new Map<string, FoundFile>()
  for (const file of files) {
    const key = keyOf(file.stat)
    if (file.matches || !byKey.has(key)) byKey.set(key, file)
  }
  return byKey
}

/** Whether a noted file was found, or its directory could not be listed. */
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
