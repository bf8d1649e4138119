// What runs in an executor's worker thread: it imports the driver's snapshot of the job, builds the
// graph, makes sure that it is the driver's graph, and runs tasks until the driver stops it. An
// error that no task can report ends the thread, and the driver replaces it.

import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import { portNetwork } from '../../protocol/runtime/network/portNetwork.ts'
import { ignoreExpectedWarnings } from '../../protocol/runtime/process/experimentalFeature.ts'
import { systemRandom } from '../../protocol/runtime/random.ts'
import { systemScheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../protocol/runtime/time/clock.ts'
import { serveSnapshot } from '../contract/codeSnapshot.ts'
import { EngineError, reportError } from '../engineError.ts'
import { fingerprint, importJob } from '../jobModule.ts'
import { TopicScanner } from '../sources/topicScanner.ts'
import { StreamGraph } from '../stream/streamGraph.ts'
import { StateStores } from './stateStores.ts'
import type { StateQuery, TaskReport } from './task.ts'
import { TaskRunner } from './taskRunner.ts'
import type { FromWorker, ToWorker, WorkerSetup } from './workerProtocol.ts'

assert(!isMainThread && parentPort, 'executorWorker.ts must be run in a worker thread')
const port = parentPort
// Warnings caused by importing the job's module.
ignoreExpectedWarnings()
const setup = workerData as WorkerSetup

try {
  await serve()
} catch (error) {
  if (!(error instanceof EngineError)) throw error
  port.postMessage({ kind: 'refused', error: reportError(error) } satisfies FromWorker)
}

async function serve(): Promise<void> {
  const graph = await buildGraph()
  const network = portNetwork(setup.network)
  const runtime = {
    clock: systemClock,
    random: systemRandom(),
    network,
    scheduler: systemScheduler,
  }
  const cluster = new Cluster(runtime, { ...setup, allowAutoTopicCreation: false })
  const states = new StateStores({ clock: systemClock, directory: setup.stateDirectory })
  const scanner = new TopicScanner(cluster)
  const runner = new TaskRunner({ graph, scanner, states, scheduler: systemScheduler })
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'batch') runner.addBatch(message.batch)
    else if (message.kind === 'run') void runner.run(message.tasks, send)
    else if (message.kind === 'query') void answer(runner, message.id, message.query)
    else if (message.kind === 'release') void release(runner)
    else void stop(runner, cluster)
  })
  port.postMessage({ kind: 'ready' } satisfies FromWorker)
}

async function buildGraph(): Promise<StreamGraph> {
  const { code } = setup
  serveSnapshot(code)
  const graph = new StreamGraph(await importJob(code), setup)
  if (fingerprint(graph, code.version) === setup.fingerprint) return graph
  throw new EngineError(
    'JOB_MODULE_CHANGED',
    `${code.moduleUrl} builds another graph in this executor than in the driver: the graph of a job must ` +
      'depend on its code alone, and not on time, randomness or the environment',
  )
}

/** A result that cannot be sent to another thread is a mistake in the job, and fails the task. */
function send(report: TaskReport): void {
  try {
    port.postMessage({ kind: 'report', report } satisfies FromWorker)
  } catch (cause) {
    if (!(cause instanceof DOMException) || cause.name !== 'DataCloneError') throw cause
    const message = `the result of a task cannot be sent to the driver: ${cause.message}; return plain values`
    const outcome = { kind: 'failed', error: { message, code: 'TASK_FAILED' } } as const
    port.postMessage({ kind: 'report', report: { ...report, outcome } } satisfies FromWorker)
  }
}

async function answer(runner: TaskRunner, id: number, query: StateQuery): Promise<void> {
  try {
    const answer = await runner.query(query)
    port.postMessage({ kind: 'answer', id, answer } satisfies FromWorker)
  } catch (error) {
    const report = reportError(error)
    port.postMessage({ kind: 'queryFailed', id, error: report } satisfies FromWorker)
  }
}

async function release(runner: TaskRunner): Promise<void> {
  await runner.releaseStates()
  port.postMessage({ kind: 'released' } satisfies FromWorker)
}

async function stop(runner: TaskRunner, cluster: Cluster): Promise<void> {
  await runner.close()
  await cluster.close()
  port.postMessage({ kind: 'stopped' } satisfies FromWorker)
  port.close()
}
