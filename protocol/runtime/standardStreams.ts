// Standard output and standard error when they cannot be written: a closed pipe, a full disk, a reader
// that has stopped reading. None of that may end a program whose work is elsewhere.

import { writeSync } from 'node:fs'

/** Where log lines go, and what to do while they cannot go there. */
export interface LogOutput {
  /**
   * Writes as many of the bytes as the system takes at once and returns how many. Throws the system's
   * error; EAGAIN stands for a pipe that is full.
   */
  write(bytes: Uint8Array): number
  /** Calls `callback` after `delayMs`, unless the process ends before. */
  later(delayMs: number, callback: () => void): void
  /** Calls `callback` when the process ends by itself. */
  atEnd(callback: () => void): void
  /** Stops the process for `ms`. Only for its very end, where no timer fires any more. */
  pause(ms: number): void
}

const standardErrorFd = 2

export const standardError: LogOutput = {
  write(bytes) {
    makeNonBlocking()
    return writeSync(standardErrorFd, bytes)
  },
  later(delayMs, callback) {
    setTimeout(callback, delayMs).unref()
  },
  atEnd(callback) {
    process.once('exit', callback)
  },
  pause(ms) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  },
}

/** Whether people look at standard error, and in color. */
export function standardErrorTerminal(): { readonly isTerminal: boolean; readonly color: boolean } {
  const isTerminal = process.stderr.isTTY === true
  return { isTerminal, color: isTerminal && process.stderr.hasColors() }
}

let isNonBlocking = false

/**
 * Node makes a pipe or a socket non-blocking when it makes a stream of it, on first use. Otherwise a
 * reader that has stopped reading stops the whole process at its next log line. (A terminal still does
 * after Ctrl-S, as its user means it.)
 */
function makeNonBlocking(): void {
  if (isNonBlocking) return
  isNonBlocking = true
  process.stderr.on('error', ignore)
}

/** Resolves with the first failure of standard output, if there is one. */
export type OutputFailed = Promise<NodeJS.ErrnoException>

/**
 * Keeps the process alive when a standard stream fails, which Node otherwise takes for an uncaught
 * error. Resolves with the first failure of standard output: a program whose purpose is that output
 * ends then. A failure of standard error leaves nowhere to report it.
 */
export function outputFailure(): OutputFailed {
  process.stderr.on('error', ignore)
  return new Promise((resolve) => process.stdout.on('error', resolve))
}

/** Whether a stream failed because its reader has gone, as in `millrace demo | head -1`. */
export function isReaderGone(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE'
}

function ignore(): void {}
