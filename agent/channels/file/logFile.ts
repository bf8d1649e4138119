// One file of a file channel's log, `log-N` in one of the channel's data directories: how much of
// it is durable, and which events it may hold.

import { join } from 'node:path'
import type { DiskFile } from '../../../protocol/runtime/disk/disk.ts'

export interface LogFile {
  readonly directory: string
  /** Undefined until the first write creates the file, which sets the number. */
  file: DiskFile | undefined
  /** Changes when the file replaces the one before it. */
  number: number
  /** End of the last acknowledged write; 0 if none is. */
  durableBytes: number
  /** Set when the next file is started: all events in this file are below it. */
  endEvent: number | undefined
  /** Whether events were put in this file, in the channel still or not. */
  hasEvents: boolean
  /** Bytes of the snapshot at its start; 0 for a recovered file. */
  readonly snapshotBytes: number
}

const filePrefix = 'log-'

/** A file without a number gets it when it is created. */
export function newLogFile(directory: string, { number = 0, snapshotBytes = 0 } = {}): LogFile {
  const state = { file: undefined, durableBytes: 0, endEvent: undefined, hasEvents: false }
  return { directory, number, snapshotBytes, ...state }
}

export function pathOf({ directory, number }: Pick<LogFile, 'directory' | 'number'>): string {
  return join(directory, `${filePrefix}${number}`)
}

/** Returns the number of a log file, or undefined when the name is not that of a log file. */
export function logFileNumber(name: string): number | undefined {
  return /^log-\d+$/.test(name) ? Number(name.slice(filePrefix.length)) : undefined
}
