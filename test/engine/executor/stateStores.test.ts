// Each store of an executor is opened only once, and none is leaked: neither after a batch that
// failed for several tasks, nor when the executor ends.

import { expect, test } from 'vitest'
import type { StatefulOperator } from '../../../engine/contract/statefulOperator.ts'
import { StateStores } from '../../../engine/executor/stateStores.ts'
import { StateStore } from '../../../engine/state/stateStore.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryStateDatabase } from '../state/memoryStateDatabase.ts'

const totals: StatefulOperator = {
  ...{ uid: 'totals', isNamed: true, kind: 'test', shape: '', codec: 'v8' },
}

class Stores {
  readonly #contents = new Map<string, string>()
  opened = 0
  closed = 0
  readonly stores = new StateStores({
    clock: new ManualClock(),
    directory: '/state',
    open: (directory) => StateStore.open(directory, { openDatabase: async () => this.#open() }),
  })

  advance(batchId: number, fails = false): Promise<unknown> {
    return this.stores.advance(totals, 0, batchId, async (state) => {
      state.set('sa', batchId)
      if (fails) throw new Error('of the job')
      return {}
    })
  }

  #open(): MemoryStateDatabase {
    this.opened++
    const database = new MemoryStateDatabase(this.#contents)
    database.close = async () => {
      this.closed++
    }
    return database
  }
}

test('a store opened after a failed batch stays open, whenever other tasks learn of the failure', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const stores = new Stores()
    await stores.advance(0)
    const first = stores.advance(1, true).catch(() => stores.advance(1))
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    const second = stores.advance(1).catch(() => stores.advance(1))
    await Promise.all([first, second])
    await stores.advance(2)
    expect(await stores.stores.version(totals, 0)).toBe(2)
    await stores.stores.close()
    expect([turns, stores.opened - stores.closed]).toEqual([turns, 0])
  }
})

test('a late task opens no store once the executor has closed its stores', async () => {
  const stores = new Stores()
  await stores.advance(0)
  await stores.stores.close()
  await expect(stores.advance(1)).rejects.toMatchObject({ code: 'STATE_CLOSED' })
  expect([stores.opened, stores.closed]).toEqual([1, 1])
})
