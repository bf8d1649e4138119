// The units of systemd in docs/deploy/systemd: systemd accepts them, their exposure level is as low
// as Node allows, and their timeouts suffice for an orderly stop.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brokerOptions } from '../../broker/configuration/brokerOptions.ts'
import { hasTool } from '../tools.ts'

const folder = join(import.meta.dirname, '../../docs/deploy/systemd')
const files = readdirSync(folder).filter((name) => name.endsWith('.service'))
const hasSystemd = hasTool('systemd-analyze', 'systemd')
/** Maximum exposure level of a unit, from 0 to 10; systemd rates less than 2.5 as OK. */
const mostExposure = 1.7

function settings(file: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) {
    const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? []
    if (key !== undefined) found.set(key, [...(found.get(key) ?? []), value!])
  }
  return found
}

describe.runIf(hasSystemd)('systemd', () => {
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-units-'))
    for (const file of files) {
      // systemd verifies an instance of a template as a separate unit.
      await cp(join(folder, file), join(directory, file))
      await cp(join(folder, file), join(directory, file.replace('@', '@sample')))
    }
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  test.each(files.map((file) => file.replace('@', '@sample')))('%s is valid', (file) => {
    expect(run('verify', join(directory, file))).toBe('')
  })

  test.each(files.map((file) => file.replace('@', '@sample')))('%s has low exposure', (file) => {
    const [, exposure] = /exposure level for \S+: ([\d.]+)/.exec(
      run('security', '--offline=true', join(directory, file)),
    )!
    expect(Number(exposure)).toBeLessThanOrEqual(mostExposure)
  })

  test('a missing unit is an error', () => {
    expect(() => run('verify', join(directory, 'missing.service'))).toThrow()
  })
})

describe('every unit', () => {
  test('belongs to one of three programs', () => {
    expect(files.sort()).toEqual([
      'millrace-agent@.service',
      'millrace-broker.service',
      'millrace-job@.service',
    ])
  })

  test.each(files)('%s: does not run as root, and writes only to its directories', (file) => {
    const unit = settings(file)
    expect(unit.get('User')).toEqual(['millrace'])
    expect(unit.get('ProtectSystem')).toEqual(['strict'])
    expect(unit.get('NoNewPrivileges')).toEqual(['yes'])
    // V8 compiles at run time, and ends the process immediately with this setting.
    expect(unit.has('MemoryDenyWriteExecute')).toBe(false)
    for (const kind of ['State', 'Logs', 'Configuration', 'Cache']) {
      expect(unit.get(`${kind}Directory`)?.[0]).toMatch(/^millrace(\/|$)/)
    }
  })

  test.each(files)('%s: is restarted after failures, a limited number of times', (file) => {
    const unit = settings(file)
    expect(unit.get('Restart')).toEqual(['on-failure'])
    expect(Number(unit.get('StartLimitBurst'))).toBeGreaterThan(0)
    // The interval includes as many failed starts as the limit.
    const burst = Number(unit.get('StartLimitBurst'))
    const restartSec = Number(unit.get('RestartSec'))
    expect(Number(unit.get('StartLimitIntervalSec'))).toBeGreaterThan(burst * (restartSec + 10))
  })

  test.each(files)('%s: has enough time for an orderly stop', (file) => {
    const drainMs = brokerOptions['shutdown.drain.timeout.ms'].default
    expect(Number(settings(file).get('TimeoutStopSec'))).toBeGreaterThan((2 * drainMs) / 1000)
    expect(settings(file).get('KillSignal')).toEqual(['SIGTERM'])
  })
})

function run(...words: string[]): string {
  return execFileSync('systemd-analyze', words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
