import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { row, table } from './harness/row.ts'

const run = promisify(execFile)
const isCheckout = existsSync(join(import.meta.dirname, '../../.git'))
const bench = (...args: string[]) =>
  run(process.execPath, [join(import.meta.dirname, 'bench.ts'), ...args])

describe('the bench command', () => {
  it('prints rows and nothing else with --json', async () => {
    const { stdout } = await bench('log-append', '--json', '--seconds', '0.1')
    const rows: unknown = JSON.parse(stdout)
    expect(rows).toHaveLength(4)
    expect(rows).toContainEqual({
      name: 'append, flush=os',
      value: expect.any(Number),
      unit: 'MB/s',
      baseline: expect.any(Number),
      ratio: expect.any(Number),
    })
  })

  it.runIf(isCheckout)(
    'runs another commit and this checkout in turns, and prints the pairs with --json',
    async () => {
      const few = ['--benchmarks', 'log-append', '--rounds', '1', '--seconds', '0.05']
      const { stdout, stderr } = await bench('gate', 'HEAD', '--json', ...few)
      expect(stderr).toContain('this checkout beside')
      const rows: unknown = JSON.parse(stdout)
      expect(rows).toHaveLength(2)
      expect(rows).toContainEqual(
        expect.objectContaining({ name: 'log-append: append, flush=os', unit: 'MB/s' }),
      )
    },
  )

  it.each([
    [[], 'say which benchmark'],
    [['nothing'], 'benchmark nothing does not exist'],
    [['produce', '--against', 'nowhere'], '--against must be HOST:PORT'],
    [['produce', '--seconds', '-1'], '--seconds'],
    [['produce', '--fast'], '--fast'],
    [['gate', 'no-such-commit'], 'no-such-commit is not a commit of this repository'],
    [['gate', '--benchmarks', 'nothing'], 'benchmark nothing does not exist'],
  ])('answers the mistake %j with one message', async (args, message) => {
    await expect(bench(...args)).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(message),
    })
  })
})

describe('a row', () => {
  it('has a ratio only beside a baseline', () => {
    expect(row('a', 50, 'ms', 200)).toEqual({
      name: 'a',
      value: 50,
      unit: 'ms',
      baseline: 200,
      ratio: 0.25,
    })
    expect(row('a', 50, 'ms')).toMatchObject({ baseline: null, ratio: null })
  })

  it('is a line of an aligned table', () => {
    const text = table([row('short', 1, 'ms'), row('a longer one', 12_345, 'records/s', 2)])
    expect(text.split('\n')).toEqual([
      '               value  unit       baseline    ratio',
      'short              1  ms                -        -',
      'a longer one  12,345  records/s         2  6173.00',
    ])
  })
})
