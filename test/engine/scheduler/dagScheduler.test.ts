// The DAG scheduler, driven by events: which tasks it launches, in what order, and how it reacts to
// failures.

import { describe, expect, test } from 'vitest'
import type { ErrorReport } from '../../../engine/engineError.ts'
import { localContext } from '../../../engine/rdd/localContext.ts'
import type { Rdd } from '../../../engine/rdd/rdd.ts'
import {
  type DagEffect,
  type DagEvent,
  DagScheduler,
  type DagSchedulerOptions,
} from '../../../engine/scheduler/dagScheduler.ts'

const boom: ErrorReport = { message: 'boom' }

/** A scheduler with two executors, and its effects as short lines. */
class Transcript {
  readonly dag: DagScheduler

  constructor(options: Partial<DagSchedulerOptions> = {}, executors = [0, 1]) {
    this.dag = new DagScheduler({ executorSlots: 2, ...options })
    for (const executor of executors) this.feed({ kind: 'executorRegistered', executor })
  }

  submit(jobId: number, rdd: Rdd<unknown>): string[] {
    return this.feed(submission(jobId, rdd))
  }

  finish(taskId: number, holder: number | 'driver' = 0, value?: unknown): string[] {
    return this.feed({ kind: 'taskFinished', taskId, holder, value })
  }

  fail(taskId: number): string[] {
    return this.feed({ kind: 'taskFailed', taskId, error: boom })
  }

  feed(...events: DagEvent[]): string[] {
    return this.dag.handleAll(events).map(line)
  }
}

function submission(jobId: number, rdd: Rdd<unknown>): DagEvent {
  const partitions = Array.from({ length: rdd.partitionCount }, (_, at) => at)
  return { kind: 'jobSubmitted', jobId, rdd, action: { kind: 'collect' }, partitions }
}

function line(effect: DagEffect): string {
  switch (effect.kind) {
    case 'launchTask': {
      const { taskId, stage, partition, executor } = effect
      const work = stage.output.kind === 'map' ? 'map' : 'result'
      return `task ${taskId}: ${work} ${partition} on ${executor}`
    }
    case 'jobFinished':
      return `job ${effect.jobId}: ${JSON.stringify(effect.results)}`
    case 'jobFailed':
      return `job ${effect.jobId} failed: ${effect.error.message}`
  }
}

/** Two map partitions, two reduce partitions. */
function reduced(context = localContext()): Rdd<readonly [string, number]> {
  const pairs = [
    ['a', 1],
    ['b', 2],
  ] as const
  return context.parallelize<readonly [string, number]>(pairs, 2).reduceByKey(Math.max)
}

describe('aborts of a stage', () => {
  const died = { message: 'out of memory' }

  test('the loss of an executor is not a failure of its tasks, and has its own limit', () => {
    const run = new Transcript({ maxTaskFailures: 2, maxExecutorLosses: 3 }, [0])
    const lose = () => {
      const lost = run.feed({ kind: 'executorLost', executor: 0, error: died })
      return lost.concat(run.feed({ kind: 'executorRegistered', executor: 0 }))
    }
    run.submit(1, localContext().parallelize([1], 1))
    expect(run.fail(1)).toEqual(['task 2: result 0 on 0'])
    expect(lose()).toEqual(['task 3: result 0 on 0'])
    expect(lose()).toEqual(['task 4: result 0 on 0'])
    expect(lose()).toEqual([
      'job 1 failed: partition 0 of parallelize lost its executor 3 times, the last time with: out of memory',
    ])
  })

  test('the second executor that runs out of memory under a task aborts its stage', () => {
    const run = new Transcript({}, [0])
    const error = { message: 'no memory', code: 'EXECUTOR_OUT_OF_MEMORY' }
    run.submit(1, localContext().parallelize([1], 1))
    const lose = () =>
      run.feed(
        { kind: 'executorLost', executor: 0, error },
        { kind: 'executorRegistered', executor: 0 },
      )
    expect(lose()).toEqual(['task 2: result 0 on 0'])
    expect(lose()).toEqual([
      'job 1 failed: partition 0 of parallelize lost its executor 2 times, the last time with: no memory',
    ])
  })

  test('an executor that was stopped does not count against its tasks', () => {
    const run = new Transcript({ maxTaskFailures: 2, maxExecutorLosses: 1 }, [0])
    run.submit(1, localContext().parallelize([1], 1))
    for (let task = 2; task < 6; task++) {
      expect(run.feed({ kind: 'executorLost', executor: 0 })).toEqual([])
      expect(run.feed({ kind: 'executorRegistered', executor: 0 })).toEqual([
        `task ${task}: result 0 on 0`,
      ])
    }
  })

  test('an error that a retry would only repeat aborts the stage immediately', () => {
    const run = new Transcript()
    run.submit(1, localContext().parallelize([1], 1))
    const error = { message: 'NaN', code: 'STATE_INVALID' }
    expect(run.feed({ kind: 'taskFailed', taskId: 1, error })).toEqual([
      'job 1 failed: partition 0 of parallelize failed with: NaN',
    ])
  })
})

describe('stages', () => {
  test('a job without a shuffle is one stage, its results in order', () => {
    const run = new Transcript()
    expect(run.submit(1, localContext().parallelize([1, 2], 2))).toEqual([
      'task 1: result 0 on 0',
      'task 2: result 1 on 1',
    ])
    expect(run.finish(2, 1, 'second')).toEqual([])
    expect(run.finish(1, 0, 'first')).toEqual(['job 1: ["first","second"]'])
  })

  test('reduce tasks start only when every map output exists', () => {
    const run = new Transcript()
    expect(run.submit(1, reduced())).toEqual(['task 1: map 0 on 0', 'task 2: map 1 on 1'])
    expect(run.finish(1)).toEqual([])
    expect(run.finish(2, 1)).toEqual(['task 3: result 0 on 0', 'task 4: result 1 on 1'])
  })

  test('a later job skips a stage whose outputs exist', () => {
    const run = new Transcript()
    const rdd = reduced()
    run.submit(1, rdd)
    run.finish(1)
    run.finish(2)
    expect(
      run.submit(
        2,
        rdd.mapValues((value) => value + 1),
      ),
    ).toEqual(['task 5: result 0 on 0', 'task 6: result 1 on 1'])
  })

  test('two jobs share the stage that both need', () => {
    const run = new Transcript()
    const rdd = reduced()
    expect(run.feed(submission(1, rdd), submission(2, rdd))).toHaveLength(2)
    run.finish(1)
    expect(run.finish(2)).toHaveLength(4)
  })

  test('an empty RDD has an empty result', () => {
    expect(new Transcript().submit(1, localContext().fromPartitions([]))).toEqual(['job 1: []'])
  })

  test('stages of a chain of shuffles run one after another, however long the chain is', () => {
    const context = localContext(1)
    let rdd = reduced(context)
    for (let depth = 0; depth < 500; depth++) rdd = rdd.map((pair) => pair).reduceByKey(Math.max)
    const run = new Transcript()
    const [first] = run.submit(1, rdd)
    expect(first).toBe('task 1: map 0 on 0')
  })
})

describe('failures', () => {
  test('a task is retried, and the fourth failure aborts the job', () => {
    const run = new Transcript()
    run.submit(1, localContext().parallelize([1], 1))
    expect(run.fail(1)).toEqual(['task 2: result 0 on 0'])
    expect(run.fail(2)).toEqual(['task 3: result 0 on 0'])
    expect(run.fail(3)).toEqual(['task 4: result 0 on 0'])
    expect(run.fail(4)).toEqual([
      'job 1 failed: partition 0 of parallelize failed 4 times, the last time with: boom',
    ])
  })

  test('an abort fails the jobs that need the stage, and no others', () => {
    const run = new Transcript({ maxTaskFailures: 1 })
    const shared = reduced()
    run.feed(submission(1, shared), submission(2, shared.mapValues(String)))
    run.submit(3, localContext().parallelize([1], 1))
    const failed = run.fail(1).map((each) => each.slice(0, 12))
    expect(failed).toEqual(['job 1 failed', 'job 2 failed'])
    expect(run.finish(3, 0, 'fine')).toEqual(['job 3: ["fine"]'])
  })

  test('an aborted stage can be submitted again, from the beginning', () => {
    const run = new Transcript({ maxTaskFailures: 1 })
    const rdd = reduced()
    run.submit(1, rdd)
    run.fail(1)
    expect(run.submit(2, rdd)).toEqual(['task 3: map 0 on 0', 'task 4: map 1 on 1'])
  })

  test('a lost executor loses its outputs, and only these outputs are recomputed', () => {
    const run = new Transcript()
    run.submit(1, reduced())
    run.finish(1, 0)
    run.finish(2, 1)
    expect(run.feed({ kind: 'executorLost', executor: 1 })).toEqual(['task 5: map 1 on 0'])
    expect(run.finish(3, 0, 'zero')).toEqual([])
    expect(run.finish(5, 0)).toEqual(['task 6: result 1 on 0'])
    expect(run.finish(6, 0, 'one')).toEqual(['job 1: ["zero","one"]'])
  })

  test('reports of a lost executor are ignored', () => {
    const run = new Transcript()
    run.submit(1, reduced())
    run.feed({ kind: 'executorLost', executor: 1 }, { kind: 'executorRegistered', executor: 1 })
    expect(run.finish(2, 1)).toEqual([])
    expect(run.finish(1, 0)).toEqual([])
    expect(run.finish(3, 1)).toEqual(['task 4: result 0 on 0', 'task 5: result 1 on 1'])
  })

  test('an output held by the driver survives every executor', () => {
    const run = new Transcript()
    run.submit(1, reduced())
    run.finish(1, 'driver')
    run.finish(2, 'driver')
    expect(run.feed({ kind: 'executorLost', executor: 0 })).toEqual(['task 5: result 0 on 1'])
  })

  test('a task that kills four executors is aborted', () => {
    const run = new Transcript()
    run.submit(1, localContext().parallelize([1], 1))
    const lose = () =>
      run.feed(
        { kind: 'executorLost', executor: 0, error: boom },
        { kind: 'executorRegistered', executor: 0 },
      )
    expect(lose()).toEqual(['task 2: result 0 on 0'])
    lose()
    lose()
    expect(lose()[0]).toMatch(/^job 1 failed: .*4 times/)
  })

  test('a fetch failure recomputes the output before the task', () => {
    const run = new Transcript()
    const rdd = reduced()
    run.submit(1, rdd)
    run.finish(1)
    run.finish(2)
    const shuffleId = shuffleOf(rdd)
    expect(run.feed({ kind: 'fetchFailed', taskId: 3, shuffleId, mapPartition: 1 })).toEqual([
      'task 5: map 1 on 1',
    ])
    run.finish(4, 1, 'one')
    expect(run.finish(5)).toEqual(['task 6: result 0 on 0'])
  })

  test('repeated fetch failures abort the stage', () => {
    const run = new Transcript({ maxFetchFailures: 2 })
    const rdd = reduced()
    run.submit(1, rdd)
    run.finish(1)
    run.finish(2)
    const shuffleId = shuffleOf(rdd)
    run.feed({ kind: 'fetchFailed', taskId: 3, shuffleId, mapPartition: 0 })
    run.finish(5)
    expect(run.feed({ kind: 'fetchFailed', taskId: 4, shuffleId, mapPartition: 0 })[0]).toMatch(
      /^job 1 failed: .*lost map output 0 of/,
    )
  })

  test('a lost output that all tasks of a stage detect counts as one loss, and each later loss counts again', () => {
    const run = new Transcript({ maxFetchFailures: 2 })
    const pairs = Array.from({ length: 12 }, (_, at) => [`key ${at}`, at] as const)
    const rdd = localContext(6).parallelize(pairs, 12).reduceByKey<string, number>(Math.max)
    const shuffleId = shuffleOf(rdd)
    run.submit(1, rdd)
    for (let task = 1; task <= 12; task++) run.finish(task)
    let next = 13
    for (let mapPartition = 0; mapPartition < 12; mapPartition++) {
      const reads = Array.from({ length: 6 }, () => next++)
      const lost = reads.map((taskId) => {
        return { kind: 'fetchFailed', taskId, shuffleId, mapPartition } as const
      })
      const again = next++
      expect(run.feed(...lost)).toEqual([
        `task ${again}: map ${mapPartition} on ${mapPartition % 2}`,
      ])
      expect(run.finish(again)).toHaveLength(6)
    }
    for (let task = 0; task < 5; task++) expect(run.finish(next++)).toEqual([])
    expect(run.finish(next)[0]).toMatch(/^job 1: /)
  })
})

describe('abandoned work', () => {
  test('a cancelled job launches no further task, and its running tasks finish', () => {
    const run = new Transcript()
    run.submit(1, reduced())
    expect(run.dag.isWanted(1)).toBe(true)
    expect(run.feed({ kind: 'jobCancelled', jobId: 1 })).toEqual([])
    expect(run.finish(1)).toEqual([])
    expect(run.finish(2)).toEqual([])
    expect(run.dag.progress()).toEqual([])
  })

  test('a forgotten shuffle is recomputed, and the result of an earlier task is ignored', () => {
    const run = new Transcript()
    const rdd = reduced()
    run.submit(1, rdd)
    const shuffleId = shuffleOf(rdd)
    expect(run.dag.shuffles()).toEqual([shuffleId])
    run.feed({ kind: 'jobCancelled', jobId: 1 }, { kind: 'shuffleForgotten', shuffleId })
    expect([1, 2].map((task) => run.dag.isWanted(task))).toEqual([false, false])
    expect(run.submit(2, rdd)).toEqual(['task 3: map 0 on 0', 'task 4: map 1 on 1'])
    expect(run.finish(1)).toEqual([])
    expect(run.finish(2)).toEqual([])
    run.finish(3)
    expect(run.finish(4)).toEqual(['task 5: result 0 on 0', 'task 6: result 1 on 1'])
  })
})

test('a failure of a forgotten stage does not affect its successor', () => {
  const run = new Transcript({ maxTaskFailures: 1 })
  const rdd = reduced()
  run.submit(1, rdd)
  const shuffleId = shuffleOf(rdd)
  run.feed({ kind: 'jobCancelled', jobId: 1 }, { kind: 'shuffleForgotten', shuffleId })
  expect(run.submit(2, rdd)).toEqual(['task 3: map 0 on 0', 'task 4: map 1 on 1'])
  expect(run.fail(1)).toEqual([])
  expect(run.dag.isWanted(3)).toBe(true)
})

test('progress counts stages from the source on, and their partitions', () => {
  const run = new Transcript()
  const rdd = reduced().map((pair) => pair)
  run.submit(1, rdd.reduceByKey(Math.max))
  run.finish(1)
  const shown = () =>
    run.dag.progress().map(({ operator, done, partitions, running }) => {
      return `${operator} ${done}/${partitions}, ${running} running`
    })
  expect(shown()).toEqual([
    'parallelize 1/2, 1 running',
    'map 0/2, 0 running',
    'reduceByKey 0/2, 0 running',
  ])
  run.finish(2)
  expect(shown()[1]).toBe('map 0/2, 2 running')
})

describe('placement', () => {
  const pinned = (kind: 'state' | 'source') => {
    const rdd = localContext().parallelize([1, 2], 2)
    Object.defineProperty(rdd, 'affinity', { value: () => ({ kind, slot: 1 }) })
    return rdd
  }

  test('a task with state waits for the executor of its slot', () => {
    const run = new Transcript({}, [0])
    expect(run.submit(1, pinned('state'))).toEqual([])
    expect(run.feed({ kind: 'executorRegistered', executor: 1 })).toEqual([
      'task 1: result 0 on 1',
      'task 2: result 1 on 1',
    ])
  })

  test('a task that reads a source runs elsewhere when its executor is lost', () => {
    expect(new Transcript({}, [0]).submit(1, pinned('source'))).toEqual([
      'task 1: result 0 on 0',
      'task 2: result 1 on 0',
    ])
  })

  test('without executors everything waits', () => {
    const run = new Transcript({}, [])
    expect(run.submit(1, localContext().parallelize([1], 1))).toEqual([])
    expect(run.feed({ kind: 'executorRegistered', executor: 1 })).toEqual(['task 1: result 0 on 1'])
  })
})

function shuffleOf(rdd: Rdd<unknown>): string {
  const [dependency] = rdd.dependencies
  if (dependency?.kind !== 'shuffle') throw new Error('the RDD has no shuffle')
  return dependency.id
}
