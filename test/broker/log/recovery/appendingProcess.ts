// A process that appends until it is killed, and prints the end offset of each acknowledged append.
// Run by logKill.test.ts with the data directory as its argument.

import { LogManager } from '../../../../broker/log/logManager.ts'
import { nodeDisk } from '../../../../protocol/runtime/disk/nodeDisk.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../../protocol/runtime/time/clock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'
import { append, smallConfig } from '../logFixture.ts'

const config = { ...smallConfig, segmentBytes: 20_000 }
const manager = await LogManager.open({
  disk: nodeDisk,
  clock: systemClock,
  logger: silentLogger,
  scheduler: systemScheduler,
  directories: [process.argv[2]!],
  config,
  checkpointIntervalMs: 20,
})
const log = await manager.create('orders', 0)
let number = log.logEndOffset
for (;;) {
  const appends = Array.from({ length: 5 }, () => {
    return append(log, { records: 1, label: `n${number++}` })
  })
  const results = await Promise.all(appends)
  process.stdout.write(`${results.at(-1)!.lastOffset + 1}\n`)
}
