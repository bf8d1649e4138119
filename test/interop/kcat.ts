// kcat (librdkafka's command line) as a child process, for the tests of test/interop.

import { spawn } from 'node:child_process'

/** Runs kcat to its end. Returns its output; fails with its error output. */
export function kcat(args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('kcat', args, { timeout: 30_000 })
    let output = ''
    let complaints = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk
    })
    child.stderr.on('data', (chunk: Buffer) => {
      complaints += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`kcat ${args.join(' ')} ended with ${code}: ${complaints}`))
    })
    child.stdin.end(input)
  })
}

/** Starts a kcat that runs until it is stopped, and calls `onLine` for each line of its output. */
export function startKcat(
  args: readonly string[],
  onLine: (line: string) => void,
): { stop: () => Promise<void> } {
  const child = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    lines.forEach(onLine)
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  return {
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
