// Faults planted in the engine: its checkpoints, its state, and the attempts of its tasks.

import type { Mutant } from '../mutant.ts'

export const engineMutants: readonly Mutant[] = [
  {
    name: 'a batch runs before its offsets are durable',
    system: 'engine',
    file: 'engine/checkpoint/offsetLog.ts',
    replacements: [
      {
        find: 'await this.#log.append(entry)',
        replace: 'this.#log.append(entry).catch(() => {})\n    await Promise.resolve()',
      },
    ],
    origin: 'engine/scheduler/batchLoop.ts',
    maxSeeds: 200,
  },
  {
    name: 'an entry of a checkpoint file is not synced',
    system: 'engine',
    file: 'engine/checkpoint/entryLog.ts',
    replacements: [
      {
        find: 'await this.#file.write([entry], this.#sizeBytes)\n    await this.#file.sync()\n',
        replace: 'await this.#file.write([entry], this.#sizeBytes)\n',
      },
    ],
    origin: 'docs/testing.md',
    maxSeeds: 120,
  },
  {
    name: 'a batch that is run again reads up to the ends of today',
    system: 'engine',
    file: 'engine/scheduler/batchLoop.ts',
    replacements: [
      {
        find: 'if (!isCut && !ranges.some((range) => hasLost(range, ends))) return { batch, ends }',
        replace: 'void isCut',
      },
    ],
    origin: 'engine/scheduler/batchLoop.ts',
    maxSeeds: 400,
  },
  {
    name: 'a batch is committed before its outputs have run',
    system: 'engine',
    file: 'engine/scheduler/batchLoop.ts',
    replacements: [
      {
        find: '    try {\n      await run(batch, attempt)\n    } finally {',
        replace:
          '    try {\n      const running = run(batch, attempt)\n      await this.#options.commitLog.commit(batch.batchId)\n      await running\n    } finally {',
      },
      {
        file: 'engine/checkpoint/commitLog.ts',
        find: 'batchId > this.latest(),',
        replace: 'batchId >= this.latest(),',
      },
    ],
    origin: 'engine/scheduler/batchLoop.ts',
    maxSeeds: 120,
  },
  {
    name: 'the state of a batch that is run again is not undone',
    system: 'engine',
    file: 'engine/state/stateStore.ts',
    replacements: [
      {
        find: 'if (plan.undo.length > 0) await this.#change(() => this.#rollBack(plan.undo))\n',
        replace: '',
      },
    ],
    origin: 'engine/state/stateStore.ts',
    maxSeeds: 120,
  },
  {
    name: 'the undo of a batch does not restore timers',
    system: 'engine',
    file: 'engine/state/stateTransaction.ts',
    replacements: [
      {
        find: 'before.push(wasSet ? noBytes : null)',
        replace: 'before.push(isSet ? noBytes : null)',
      },
    ],
    origin: 'engine/state/stateTransaction.ts',
    maxSeeds: 500,
  },
  {
    name: 'a state keeps cached values of a batch that was undone',
    system: 'engine',
    file: 'engine/state/stateStore.ts',
    replacements: [
      {
        find: 'this.#firstTimerMs = unknownTimers()\n    this.#cache.clear()\n',
        replace: 'this.#firstTimerMs = unknownTimers()\n',
      },
    ],
    origin: 'engine/state/stateStore.ts',
    maxSeeds: 120,
  },
  {
    name: 'the task of a lost executor is not run again',
    system: 'engine',
    file: 'engine/scheduler/dagScheduler.ts',
    replacements: [
      {
        find: 'task.stage.running.delete(task.partition)\n',
        replace:
          'if (this.#executors.has(task.executor)) task.stage.running.delete(task.partition)\n',
      },
    ],
    origin: 'engine/scheduler/dagScheduler.ts',
    maxSeeds: 200,
  },
  {
    name: 'a batch is committed although a write of a state failed',
    system: 'engine',
    file: 'engine/executor/stateStores.ts',
    replacements: [
      {
        find: 'await transaction.commit()\n',
        replace: 'await transaction.commit().catch(() => {})\n',
      },
    ],
    origin: 'engine/executor/stateStores.ts',
    maxSeeds: 120,
  },
  {
    name: 'a batch that is split uses the outputs of its first attempt',
    system: 'engine',
    file: 'engine/executor/stateStores.ts',
    replacements: [
      {
        find: 'for (const state of await this.#opened()) delete state.result\n',
        replace: 'await this.#opened()\n',
      },
    ],
    origin: 'engine/executor/stateStores.ts',
    maxSeeds: 120,
  },
  {
    name: 'timers that an undo restores are not due',
    system: 'engine',
    file: 'engine/state/stateStore.ts',
    replacements: [
      {
        find: 'this.#firstTimerMs = unknownTimers()\n    this.#cache.clear()\n',
        replace: 'this.#cache.clear()\n',
      },
    ],
    origin: 'engine/state/stateStore.ts',
    maxSeeds: 500,
  },
  {
    name: 'the half of a batch is not planned durably',
    system: 'engine',
    file: 'engine/scheduler/batchLoop.ts',
    replacements: [
      {
        find: 'if (next !== batch) await this.#options.offsetLog.supersede(next)\n',
        replace: '',
      },
    ],
    origin: 'engine/scheduler/batchLoop.ts',
    maxSeeds: 120,
  },
  {
    name: 'a batch is split although an output has begun',
    system: 'engine',
    file: 'engine/scheduler/batchLoop.ts',
    replacements: [{ find: "if (this.#state === 'output') return false\n", replace: '' }],
    origin: 'engine/scheduler/batchLoop.ts',
    maxSeeds: 300,
  },
  {
    name: 'a batch that is split uses the shuffles of its first attempt',
    system: 'engine',
    file: 'engine/scheduler/driver.ts',
    replacements: [
      {
        find: 'batchId < oldest || batchId >= batch.batchId',
        replace: 'batchId < oldest',
      },
      {
        find: 'this.#forgetShuffles((batchId, id) => batchId >= this.#batchId || this.#computed.has(id))\n',
        replace: '',
      },
    ],
    origin: 'engine/scheduler/driver.ts',
    maxSeeds: 120,
  },
]
