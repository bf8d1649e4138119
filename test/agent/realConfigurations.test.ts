// Real flume.conf files, planned as `millrace agent` would: each is either an agent that moves
// events, or refused with all reasons. The files are not part of the repository; the cases found
// with them are in agentPlan.test.ts.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkAgent } from '../../agent/agent.ts'
import { readFlumeConfiguration } from '../../agent/configuration/flumeConfiguration.ts'
import { parseProperties } from '../../agent/configuration/properties.ts'
import { ConfigurationRefused, problemLines } from '../../agent/planVerdict.ts'
import { MemoryDisk } from '../../protocol/runtime/disk/memoryDisk.ts'
import { memoryNetwork } from '../../protocol/runtime/network/memoryNetwork.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { systemScheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import { sharedFile } from '../sharedFile.ts'
import { testHost } from './component.ts'

const directory = sharedFile('data/flume-confs')
const files = directory === undefined ? [] : readdirSync(directory)

describe.skipIf(directory === undefined)('flume.conf files as people write them', () => {
  test.each(files)('%s is planned or refused with its reasons', async (file) => {
    const text = readFileSync(join(directory!, file), 'latin1')
    const { agents } = readFlumeConfiguration(parseProperties(text, file))
    expect(agents.size).toBeGreaterThan(0)
    for (const name of agents.keys()) {
      const lines = await problems(file, text, name)
      for (const line of lines) {
        expect(line).toMatch(/^(?:error|warning): \S+\.conf(?::\d+)?: [^ ]+: ./)
      }
    }
  })
})

/** The lines of all problems; a refused agent has at least one. */
async function problems(file: string, text: string, name: string): Promise<string[]> {
  const runtime = {
    clock: new ManualClock(),
    random: seededRandom(1),
    disk: new MemoryDisk(),
    network: memoryNetwork(),
    scheduler: systemScheduler,
  }
  try {
    const checked = await checkAgent({
      runtime,
      logger: silentLogger,
      name,
      configuration: [{ path: file, text }],
      host: testHost,
    })
    return problemLines(checked.problems)
  } catch (error) {
    if (!(error instanceof ConfigurationRefused)) throw error
    const lines = problemLines(error.problems)
    expect(lines, error.message).not.toEqual([])
    return lines
  }
}
