// The databases of states in a simulated world: stores of the host, with a file in each directory,
// because the engine looks for the directories on the disk.

import { join } from 'node:path'
import { openLevelStateDatabase } from '../../../../engine/state/levelStateDatabase.ts'
import type { StateDatabase } from '../../../../engine/state/stateDatabase.ts'
import { makeDurableDirectory } from '../../../../protocol/runtime/disk/durableDirectory.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'

export function stateDatabases(
  process: SimulatedProcess,
): (directory: string) => Promise<StateDatabase> {
  const { disk } = process.runtime
  return async (directory) => {
    const file = join(directory, 'CURRENT')
    if ((await disk.stat(file)) === undefined) {
      await makeDurableDirectory(disk, directory)
      await disk.writeFileAtomic(file, Buffer.from('store'))
    } else {
      // An earlier attempt may have failed after it had written the file.
      await disk.syncDirectory(directory)
    }
    return await openLevelStateDatabase(directory, process.openStore)
  }
}
