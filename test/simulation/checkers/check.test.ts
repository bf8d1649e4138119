// The command that checks a file: its output and its exit code.

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HistoryBuilder, sent } from './historyBuilder.ts'
import { formatHistory } from './historyFile.ts'

const command = join(import.meta.dirname, 'check.ts')
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-history-'))
})

afterAll(() => rm(directory, { recursive: true }))

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function check(text: string, ...flags: string[]): Promise<Result> {
  const file = join(directory, 'history.jsonl')
  await writeFile(file, text)
  return await new Promise((resolve) => {
    execFile(process.execPath, [command, file, ...flags], (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    )
  })
}

test('anomalies are printed with their operations, and are the exit code', async () => {
  const aborted = new HistoryBuilder().abort('p', sent('a', 1)).poll('c', { a: [[0, 1]] }).history
  const found = await check(formatHistory(aborted))
  expect(found.code).toBe(1)
  expect(found.stdout).toContain(
    'G1a: c polled 1 from a-0, the send of which was aborted (p)\n    {',
  )
  expect(found.stdout).toContain('4 entries: NOT VALID')
  const allowed = await check(formatHistory(aborted), '--isolation', 'read_uncommitted')
  expect(allowed.code).toBe(0)
  expect(allowed.stdout).toBe('G1a (allowed): 1\n4 entries: no anomaly that is not allowed\n')
  const json = await check(formatHistory(aborted), '--json')
  expect(JSON.parse(json.stdout)).toMatchObject({
    counts: { G1a: 1 },
    forbidden: [{ name: 'G1a' }],
  })
})

test('a file that is not a history, and options that do not exist, are refused', async () => {
  const broken = await check('{}\n')
  expect(broken.code).toBe(2)
  expect(broken.stderr).toBe('line 1 of the history has no id\n')
  const unknown = await check('', '--isolation', 'none')
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('--isolation is one of read_committed, read_uncommitted')
})
