// Standard output and standard error that survive failures: a closed pipe, a full disk or a reader
// that has stopped must not end or block a program whose purpose is not its output.

import { writeSync } from 'node:fs'

/** The destination of log lines, and the hooks to retry when it fails. */
export interface LogOutput {
  /**
   * Writes without blocking and returns the number of bytes written. Throws the system's error;
   * EAGAIN for a full pipe.
   */
  write(bytes: Uint8Array): number
  /** Calls `callback` after `delayMs`, without keeping the process alive. */
  later(delayMs: number, callback: () => void): void
  /** Calls `callback` when the process exits. */
  atEnd(callback: () => void): void
  /** Blocks the process for `ms`. Only during exit, when timers no longer fire. */
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

/** Whether standard error is a terminal, and one with colors. */
export function standardErrorTerminal(): { readonly isTerminal: boolean; readonly color: boolean } {
  const isTerminal = process.stderr.isTTY === true
  return { isTerminal, color: isTerminal && process.stderr.hasColors() }
}

let isNonBlocking = false

/**
 * Makes standard error non-blocking if it is a pipe or a socket, by creating its stream. Otherwise
 * a reader that has stopped reading would block the whole process at its next log line. (A terminal
 * still blocks after Ctrl-S, as its user intends.)
 */
function makeNonBlocking(): void {
  if (isNonBlocking) return
  isNonBlocking = true
  process.stderr.on('error', ignore)
}

/** Resolves with the first failure of standard output, or never. */
export type OutputFailed = Promise<NodeJS.ErrnoException>

/**
 * Keeps the process alive when a standard stream fails, which would be an uncaught error in Node.
 * Resolves with the first failure of standard output; a program whose purpose is that output should
 * then end. Failures of standard error are ignored, because there is no place to report them.
 */
export function outputFailure(): OutputFailed {
  process.stderr.on('error', ignore)
  return new Promise((resolve) => process.stdout.on('error', resolve))
}

/** Whether a stream failed because its reader closed the pipe, as in `millrace demo | head -1`. */
export function isReaderGone(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE'
}

function ignore(): void {}
