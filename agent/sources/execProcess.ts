// Starts the command of an exec source, as a dependency of the source; the real implementation runs it in
// a process group of its own that ends with the agent, however the agent ends.

import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

export interface ExecProcess {
  /** Ends when the command, and everything it has started, has closed its output. */
  readonly output: AsyncIterable<Buffer>
  readonly errors: AsyncIterable<Buffer>
  /** Resolves when the output has ended, with the exit code, or the signal's name, or why it could not start. */
  readonly exit: Promise<number | string>
  /** Terminates or kills the command and its children. Unread output is lost. */
  kill(isForced?: boolean): void
}

/** `command` is a program and its arguments. */
export type StartProcess = (command: readonly string[]) => ExecProcess

/**
 * Runs before the command, which then takes its place. The watcher it leaves behind reads from the
 * agent's end of a pipe, which the system closes when the agent ends, also by SIGKILL: it then ends the
 * whole process group. Without it `tail -F` would stay behind, and read on beside its successor.
 */
const watchedCommand = `
(
  trap '' TERM
  read -r line <&3
  kill -TERM 0
  sleep 2
  kill -KILL 0
) >/dev/null 2>&1 &
exec "$@" 3<&-
`

export const startProcess: StartProcess = (command) => {
  const child = spawn('/bin/sh', ['-c', watchedCommand, 'sh', ...command], {
    // A process group of its own, so that a signal also reaches the children of a shell.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const agentIsAlive = child.stdio[3] as Writable
  // The watcher may have ended before.
  agentIsAlive.on('error', () => {})
  // Not the event `close`: that waits for the watcher's pipe as well, which is closed after this.
  const ended = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
  const closed = Promise.all([streamClosed(child.stdout!), streamClosed(child.stderr!)])
  const exit = closed.then(() => ended)
  void exit.then(() => agentIsAlive.destroy())
  // Streams that are not read never end.
  const dropOutput = () => {
    child.stdout!.destroy()
    child.stderr!.destroy()
  }
  return {
    output: child.stdout!,
    errors: child.stderr!,
    exit,
    kill(isForced = false) {
      signalGroup(child, isForced ? 'SIGKILL' : 'SIGTERM')
      // A process that left the group may hold the output open indefinitely.
      if (isForced || hasEnded(child)) dropOutput()
      else child.once('exit', dropOutput)
    },
  }
}

function streamClosed(stream: Readable): Promise<void> {
  return new Promise((resolve) => stream.once('close', resolve))
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // The group has ended.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
