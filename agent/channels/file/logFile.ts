// One file of a file channel's log, `log-N` in one of the channel's data directories: how much of
// it is durable, and which events it may hold.

import { join } from 'node:path'
import type { DiskFile } from '../../../protocol/runtime/disk/disk.ts'

export interface LogFile {
  readonly number: number
  readonly path: string
  readonly directory: string
  /** Undefined until the first write creates the file. */
  file: DiskFile | undefined
  /** End of the last acknowledged write; 0 if none is. */
  durableBytes: number
  /** Set when the next file is started: all events in this file are below it. */
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
