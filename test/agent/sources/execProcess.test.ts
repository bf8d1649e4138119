// Real processes of commands: a stop, or the end of the agent, terminates them and their children.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { type ExecProcess, startProcess } from '../../../agent/sources/execProcess.ts'
import { eventually } from '../../interop/eventually.ts'

const started: number[] = []
afterEach(() => {
  for (const pid of started.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
})

/** Returns false for a zombie, too: a process that has ended and is not reaped yet. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/\) [ZX] /.test(stat)
  } catch {
    return false
  }
}

/** The process ids that the first line of output names. */
async function pidsFrom(output: AsyncIterable<Buffer>): Promise<number[]> {
  let text = ''
  for await (const piece of output) {
    text += piece
    if (text.includes('\n')) break
  }
  const pids = text.split('\n')[0]!.trim().split(' ').map(Number)
  started.push(...pids)
  return pids
}

function run(script: string): ExecProcess {
  return startProcess(['/bin/sh', '-c', script])
}

test('terminating a shell terminates the pipeline that it started', async () => {
  const command = run('sleep 1000 & echo $$ $!; cat /dev/zero | tail -f /dev/null')
  const pids = await pidsFrom(command.output)
  expect(pids.map(isAlive)).toEqual([true, true])
  command.kill()
  expect(await command.exit).toBe('SIGTERM')
  await eventually('the group has ended', () => !pids.some(isAlive))
})

test('a shell that waits for its child gets the signal together with the child', async () => {
  const command = run("trap 'exit 7' TERM; /bin/sh -c 'echo $$; exec sleep 1000'")
  await pidsFrom(command.output)
  command.kill()
  // The shell runs its trap only after its child has ended.
  expect(await command.exit).toBe(7)
})

test('a forced kill ends a process that ignores SIGTERM', async () => {
  const command = run("trap '' TERM; echo $$; while :; do sleep 1000; done")
  const pids = await pidsFrom(command.output)
  command.kill()
  expect(pids.map(isAlive)).toEqual([true])
  command.kill(true)
  expect(await command.exit).toBe('SIGKILL')
})

test('a process that left the group and holds the output open does not delay the exit', async () => {
  const command = run('setsid sleep 1000 & echo $$ $!; wait')
  await pidsFrom(command.output)
  command.kill(true)
  expect(await command.exit).toBe('SIGKILL')
})

test.each([
  ['a command that does not exist', ['/nowhere/command'], 127],
  ['a file that is no program', ['/etc/passwd'], 126],
  ['a command that fails', ['/bin/sh', '-c', 'exit 3'], 3],
  ['a command that succeeds', ['true'], 0],
])('%s says so by its exit', async (_, words, code) => {
  const command = startProcess(words)
  for await (const piece of command.output) expect(String(piece)).toBe('')
  for await (const piece of command.errors) expect(String(piece)).not.toBe('')
  expect(await command.exit).toBe(code)
})

test('a command ends when the agent is killed with SIGKILL', async () => {
  const module = new URL('../../../agent/sources/execProcess.ts', import.meta.url).href
  const agent = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { startProcess } from ${JSON.stringify(module)}
      const command = startProcess(['/bin/sh', '-c', 'echo $$; exec tail -F /dev/null'])
      for await (const piece of command.output) process.stdout.write(piece)`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [tail] = await pidsFrom(agent.stdout)
  expect(isAlive(tail!)).toBe(true)
  agent.kill('SIGKILL')
  await once(agent, 'exit')
  await eventually('the command has ended', () => !isAlive(tail!))
})
