// One file of a file channel's log, `log-N` in one of the channel's data directories, as far as the
// store must know it: how much of it is durable, and which events it holds.

import { join } from 'node:path'
import type { DiskFile } from '../../../protocol/runtime/disk.ts'

export interface LogFile {
  readonly number: number
  readonly path: string
  readonly directory: string
  /** Undefined until the file is created, when its first write is due. */
  file: DiskFile | undefined
  /** Bytes of the file that are acknowledged; 0 for a file that does not count yet. */
  durableBytes: number
  /** Set once the next file is begun: every event in this one is below it. */
  endEvent: number | undefined
}

const filePrefix = 'log-'

export function newLogFile(number: number, directory: string): LogFile {
  const path = join(directory, `${filePrefix}${number}`)
  return { number, path, directory, file: undefined, durableBytes: 0, endEvent: undefined }
}

/** Returns the number of a log file, or undefined when the name is not that of a log file. */
export function logFileNumber(name: string): number | undefined {
  return /^log-\d+$/.test(name) ? Number(name.slice(filePrefix.length)) : undefined
}
