// The files that a taildir source follows: finds new ones, new names of known ones, and those whose
// names are gone, and decides where reading begins. Files that are not read now cost one look a scan,
// and scans are rarer the more files there are.

import { dirname } from 'node:path'
import type { Clock } from '../../../protocol/runtime/clock.ts'
import { isOperational } from '../../../protocol/runtime/operational.ts'
import type { Logger } from '../../../protocol/telemetry/logger.ts'
import type { ChannelProcessor, ResumePosition } from '../../channelProcessor.ts'
import { Copies } from './copies.ts'
import type { FileSearch, Found, FoundFile } from './fileSearch.ts'
import type { OpenFiles } from './openFiles.ts'
import type { FoundNote, PositionNotes } from './positionNotes.ts'
import type { TaildirOptions } from './taildirOptions.ts'
import { TailFile } from './tailFile.ts'

/** How often directories are looked at for names that are new, changed or gone. */
const directoryLookMs = 250
/** A full scan looks at every file: so many of these pass for each, up to the longest. */
const scanMsPerFile = 2
const longestScanIntervalMs = 5000
/** Until a file that could not be opened or read is tried again. */
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
  readonly #copies = new Copies()
  /** Files that could not be opened yet, by key, and when each is tried again. */
  readonly #unopened = new Map<string, number>()
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

  /** Brings the set up to date when it is time to; true when files were added. */
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

  /** Closes a file of which nothing came for long; one without a name is forgotten. */
  async letGo(file: TailFile): Promise<void> {
    await this.#parts.openFiles.close(file)
    if (file.isOrphan) this.#files.delete(keyOf(file))
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
    this.#copies.retain(byKey)
    let hasAdopted = false
    // What is known first: a file that was truncated meanwhile may have a copy among the others.
    const known = fresh.filter((file) => this.#resumePosition(file).known !== undefined)
    for (const file of [...known, ...fresh.filter((file) => !known.includes(file))]) {
      if ((await this.#tryToAdopt(file, nowMs)) === 'adopted') hasAdopted = true
    }
    if (this.#isFirstScan) this.#parts.notes.dropGone((note) => mayExist(note, found, byKey))
    this.#isFirstScan = false
    return hasAdopted
  }

  #see(file: TailFile, { path, stat, matches }: FoundFile): void {
    file.isOrphan = !matches
    if (file.path !== path) {
      file.formerPath = file.path
      file.path = path
      file.hasNews = true
    }
    const { sizeBytes, modifiedMs } = file.seen
    if (stat.sizeBytes !== sizeBytes || stat.modifiedMs !== modifiedMs) file.hasNews = true
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
      this.#files.delete(keyOf(file))
      if (now !== undefined || unreadBytes <= 0) continue
      this.#parts.logger.warn(
        { source: this.#parts.source, file: file.path, bytes: unreadBytes },
        'file was removed before its end was read: lost',
      )
    }
  }

  async #tryToAdopt(found: FoundFile, nowMs: number): Promise<'adopted' | 'not yet'> {
    const { path, stat } = found
    const key = keyOf(stat)
    const retryMs = this.#unopened.get(key)
    if (retryMs !== undefined && nowMs < retryMs) return 'not yet'
    try {
      return await this.#adopt(found, nowMs)
    } catch (error) {
      if (!isOperational(error)) throw error
      if (retryMs === undefined && found.matches) this.#warnUnreadable(path, error)
      this.#unopened.set(key, nowMs + unreadableRetryMs)
      return 'not yet'
    }
  }

  async #adopt(found: FoundFile, nowMs: number): Promise<'adopted' | 'not yet'> {
    const { path, group, stat, matches } = found
    const { options, openFiles, logger, notes, source } = this.#parts
    const { known, noted } = this.#resumePosition(found)
    // After a start a file may have been renamed out of the pattern with lines left to read. Without
    // proof that it is that file, it is none of ours.
    if (!matches && (known === undefined || known.end >= stat.sizeBytes || !isProof(known)))
      return 'not yet'
    const { device, inode } = stat
    const file = new TailFile(
      { device, inode, path, group: group.name },
      stat,
      options.maxLineBytes,
      nowMs,
    )
    file.isOrphan = !matches
    const begun = await openFiles.use(file, async () => {
      if (known === undefined) return await this.#beginNew(file, found, nowMs)
      return await this.#resume(file, found, known, noted, nowMs)
    })
    if (begun !== true) {
      await openFiles.close(file)
      return 'not yet'
    }
    this.#files.set(keyOf(stat), file)
    notes.settle(stat, path)
    if (this.#unopened.delete(keyOf(stat))) {
      logger.info({ source, file: path }, 'file can be read now')
    }
    return 'adopted'
  }

  /** Goes on in a file that channels or notes know; from its start if it is another one by now. */
  async #resume(
    file: TailFile,
    { matches, path }: FoundFile,
    known: ResumePosition,
    noted: FoundNote | undefined,
    nowMs: number,
  ): Promise<boolean> {
    const { logger, source } = this.#parts
    const { end, generation, fingerprint, checks } = known
    const isSame = await file.matches(checks)
    if (!isSame && !matches) return false
    const lostBytes = (isSame ? 0 : (noted?.undeliveredBytes ?? 0)) + (noted?.formerBytes ?? 0)
    if (lostBytes > 0) {
      logger.warn(
        { source, file: path, bytes: lostBytes },
        'bytes of earlier content were read before the last stop, and no sink is known to have committed them: they may be lost',
      )
    }
    if (isSame) {
      await file.beginAt(end, generation)
      return true
    }
    logger.warn(
      { source, file: path, offset: end },
      'file was truncated or replaced while it was not followed: reading it from its start',
    )
    const last = checks.reduce((a, b) => (b.end > a.end ? b : a), { end, fingerprint })
    file.beginAnew({ offset: last.end, generation, fingerprint: last.fingerprint }, nowMs)
    await file.beginAt(0, generation + 1)
    return true
  }

  async #beginNew(
    file: TailFile,
    { path, stat, matches }: FoundFile,
    nowMs: number,
  ): Promise<boolean> {
    const { options, logger, source } = this.#parts
    if (!matches) return false
    if (options.skipToEnd && this.#isFirstScan) {
      await file.beginAt(stat.sizeBytes, 0)
      return true
    }
    await file.beginAt(0, 0)
    if (stat.sizeBytes === 0) return true
    const others = this.#isFirstScan
      ? [...this.#files.values()].filter(({ former }) => former !== undefined)
      : this.#files.values()
    const judged = await this.#copies.judge(keyOf(file), file, file.head, stat, others, nowMs)
    if (judged === 'wait') return false
    if (judged === 'new') return true
    logger.info(
      { source, file: path, original: judged.copiedFrom.path, offset: judged.offset },
      'file is a copy of one that was truncated: reading on behind what was read of it',
    )
    await file.beginAt(judged.offset, 0)
    return true
  }

  /** Where an earlier run stopped, and what its position file said. */
  #resumePosition({ stat, path }: FoundFile): {
    known: ResumePosition | undefined
    noted: FoundNote | undefined
  } {
    const { processor, notes, source } = this.#parts
    const noted = notes.find(stat, path)
    return { known: processor.resumePosition(source, stat, noted), noted }
  }

  #warnUnreadable(path: string, error: unknown): void {
    const { logger, source } = this.#parts
    logger.warn(
      { source, file: path, error: (error as Error).message, retryMs: unreadableRetryMs },
      'file cannot be read: skipped until it can, the others are followed',
    )
  }
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

/** Whether a noted file was found, or could not be looked for. */
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
