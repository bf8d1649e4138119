// The process of an exec source's command: the interface that the source depends on, and the real
// implementation, which runs the command in a process group that ends with the agent, however the
// agent ends.

import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

export interface ExecProcess {
  /** Ends when the command and all its children have closed their output. */
  readonly output: AsyncIterable<Buffer>
  readonly errors: AsyncIterable<Buffer>
  /**
   * Resolves after the output has ended: with the exit code, the signal's name, or a start error.
   */
  readonly exit: Promise<number | string>
  /** Terminates or kills the command and its children. Unread output is lost. */
  kill(isForced?: boolean): void
}

/** Starts a command, given as a program and its arguments. */
export type StartProcess = (command: readonly string[]) => ExecProcess

/**
 * Starts a watcher in the background, then executes the command. The watcher reads from a pipe that
 * the system closes when the agent ends, even by SIGKILL; it then terminates the whole process
 * group. Without it a `tail -F` would survive the agent and read the same lines as its successor.
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
  // The watcher may have exited already.
  agentIsAlive.on('error', () => {})
  // Not the event `close`, which also waits for the watcher's pipe; that is closed only after
  // `exit`.
  const ended = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
  const closed = Promise.all([streamClosed(child.stdout!), streamClosed(child.stderr!)])
  const exit = closed.then(() => ended)
  void exit.then(() => agentIsAlive.destroy())
  // A stream that is not read never ends.
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
    // The group no longer exists.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
