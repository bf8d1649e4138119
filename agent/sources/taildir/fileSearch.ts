// Finds the files of a taildir source's file groups. A directory that cannot be listed, and a path
// that is not a regular file, are skipped with one warning; the other files are found.

import { join } from 'node:path'
import type { Disk, DiskStat } from '../../../protocol/runtime/disk/disk.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import type { FileGroup } from './fileGroup.ts'

export interface FoundFile {
  readonly path: string
  readonly group: FileGroup
  readonly stat: DiskStat
  /** Whether the name matches the pattern; other names are returned on request. */
  readonly matches: boolean
}

export interface Found {
  readonly files: readonly FoundFile[]
  /** Directories that could not be listed, and paths without a readable status. */
  readonly unknownDirectories: ReadonlySet<string>
  readonly unknownPaths: ReadonlySet<string>
}

interface DirectoryLook {
  readonly modifiedMs: number | undefined
  readonly listedMs: number
}

/** Number of concurrent status reads. */
const statsAtOnce = 32
/**
 * Granularity of file times: a name may be added in the same step in which its directory was
 * listed.
 */
const timestampStepMs = 100

export class FileSearch {
  readonly #groups: readonly FileGroup[]
  readonly #clock: Clock
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #looks = new Map<string, DirectoryLook>()
  /** Paths for which a warning was logged, with the reason. */
  readonly #skipped = new Map<string, string>()

  constructor(groups: readonly FileGroup[], clock: Clock, disk: Disk, logger: Logger) {
    this.#groups = groups
    this.#clock = clock
    this.#disk = disk
    this.#logger = logger
  }

  /** Whether names may have changed since `find`; costs one status read per directory. */
  async mayHaveChanged(): Promise<boolean> {
    for (const [directory, { modifiedMs, listedMs }] of this.#looks) {
      if (modifiedMs !== undefined && listedMs - modifiedMs < timestampStepMs) return true
      try {
        if ((await this.#disk.stat(directory))?.modifiedMs !== modifiedMs) return true
      } catch {
        // `find` fails in the same way and reports it.
        return true
      }
    }
    return false
  }

  /**
   * Returns all files whose names match; with `others`, also the other files of the directories.
   */
  async find(others: boolean): Promise<Found> {
    const files: FoundFile[] = []
    const unknownDirectories = new Set<string>()
    const unknownPaths = new Set<string>()
    const directories = new Map<string, readonly string[]>()
    for (const group of this.#groups) {
      const { directory } = group
      try {
        const names = directories.get(directory) ?? (await this.#list(directory))
        directories.set(directory, names)
        const paths = names.filter((name) => others || group.pattern.test(name))
        await this.#look(group, paths, files, unknownPaths)
        this.#skipped.delete(directory)
      } catch (error) {
        unknownDirectories.add(directory)
        this.#skip(directory, `cannot list directory: ${(error as Error).message}`)
      }
    }
    return { files, unknownDirectories, unknownPaths }
  }

  async #list(directory: string): Promise<string[]> {
    const stat = await this.#disk.stat(directory)
    const look = { modifiedMs: stat?.modifiedMs, listedMs: this.#clock.nowMs() }
    this.#looks.set(directory, look)
    return stat === undefined ? [] : await this.#disk.list(directory)
  }

  async #look(
    group: FileGroup,
    names: readonly string[],
    files: FoundFile[],
    unknownPaths: Set<string>,
  ): Promise<void> {
    for (let first = 0; first < names.length; first += statsAtOnce) {
      const some = names.slice(first, first + statsAtOnce)
      const stats = await Promise.all(some.map((name) => this.#stat(join(group.directory, name))))
      some.forEach((name, index) => {
        const path = join(group.directory, name)
        const matches = group.pattern.test(name)
        const stat = stats[index]
        if (stat instanceof Error) {
          // Links in a loop lead to no file, and will not.
          if ((stat as NodeJS.ErrnoException).code !== 'ELOOP') unknownPaths.add(path)
          if (matches) this.#skip(path, stat.message)
        } else if (stat !== undefined && !stat.isFile) {
          if (matches) this.#skip(path, stat.isDirectory ? 'is a directory' : 'not a regular file')
        } else if (stat !== undefined) {
          this.#skipped.delete(path)
          files.push({ path, group, stat, matches })
        }
      })
    }
  }

  async #stat(path: string): Promise<DiskStat | Error | undefined> {
    try {
      return await this.#disk.stat(path)
    } catch (error) {
      return error as Error
    }
  }

  #skip(path: string, reason: string): void {
    if (this.#skipped.get(path) === reason) return
    this.#skipped.set(path, reason)
    this.#logger.warn({ path, reason }, 'path skipped by taildir source')
  }
}
