// kcat (librdkafka's command line) as a child process. It is a program of the machine and not of
// npm: without it the tests are skipped with a word on how to get it, but never in CI.

import { execFileSync, spawn } from 'node:child_process'

const hint =
  'kcat is not installed (apt-get install kcat, brew install kcat): its tests are skipped'

/** Whether kcat can be run. Throws in CI when it cannot: there, nothing may be skipped in silence. */
export function kcatIsInstalled(): boolean {
  try {
    execFileSync('kcat', ['-V'], { stdio: 'ignore' })
    return true
  } catch (error) {
    if (process.env.CI === 'true') throw new Error(hint, { cause: error })
    console.warn(hint)
    return false
  }
}

/** Runs kcat to its end and gives what it printed. Fails with what it complained about. */
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

/** A kcat that runs until it is stopped, and calls `onLine` for what it prints. */
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
