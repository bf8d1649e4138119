// A process on a real disk, killed repeatedly while it appends to the same log: everything that it
// reported as acknowledged exists, in order, once.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LogManager } from '../../../../broker/log/logManager.ts'
import { nodeDisk } from '../../../../protocol/runtime/disk/nodeDisk.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { readValues, smallConfig } from '../logFixture.ts'

const kills = 4
const program = join(import.meta.dirname, 'appendingProcess.ts')

/** Kills the process after some more acknowledgements; returns the last acknowledged end. */
async function killAfter(child: ChildProcess, acknowledgements: number): Promise<number> {
  let output = ''
  let isKilled = false
  child.stdout!.on('data', (chunk: Buffer) => {
    output += chunk
    if (isKilled || output.split('\n').length <= acknowledgements) return
    isKilled = true
    child.kill('SIGKILL')
  })
  await once(child, 'close')
  expect(child.signalCode).toBe('SIGKILL')
  return Number(output.split('\n').at(-2))
}

test('the acknowledged records of a killed process exist', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'log-kill-'))
  try {
    for (let kill = 0; kill < kills; kill++) {
      const child = spawn(process.execPath, [program, directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const acknowledged = await killAfter(child, 15 + 25 * kill)
      const manager = await LogManager.open({
        disk: nodeDisk,
        clock: systemClock,
        logger: silentLogger,
        scheduler: systemScheduler,
        directories: [directory],
        config: { ...smallConfig, segmentBytes: 20_000 },
      })
      const log = manager.get('orders', 0)!
      const values = await readValues(log)
      expect(values.length).toBeGreaterThanOrEqual(acknowledged)
      expect(values).toEqual(values.map((_, offset) => `n${offset}/0`))
      expect([manager.wasCleanShutdown, log.offline]).toEqual([false, undefined])
      await manager.close()
    }
  } finally {
    await rm(directory, { recursive: true })
  }
})
