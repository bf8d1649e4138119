// The messages between the driver's thread and an executor's worker thread.

import type { MessagePort } from 'node:worker_threads'
import type { Address } from '../../protocol/runtime/network/network.ts'
import type { CodeSnapshot } from '../contract/codeSnapshot.ts'
import type { ErrorReport } from '../engineError.ts'
import type { BatchInfo } from '../stream/batchHistory.ts'
import type { StateAnswer, StateQuery, Task, TaskReport } from './task.ts'

export interface WorkerSetup {
  readonly code: CodeSnapshot
  /** Fingerprint of the driver's graph; the worker refuses to run another one. */
  readonly fingerprint: string
  readonly batchIntervalMs: number
  readonly bootstrap: readonly Address[]
  readonly clientId: string
  readonly stateDirectory: string
  /** The port to the driver's network. */
  readonly network: MessagePort
}

export type ToWorker =
  | { readonly kind: 'batch'; readonly batch: BatchInfo }
  | { readonly kind: 'run'; readonly tasks: readonly Task[] }
  | { readonly kind: 'query'; readonly id: number; readonly query: StateQuery }
  | { readonly kind: 'release' }
  | { readonly kind: 'stop' }

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly error: ErrorReport }
  | { readonly kind: 'report'; readonly report: TaskReport }
  /** The answer to the query with this id, or the reason why there is none. */
  | { readonly kind: 'answer'; readonly id: number; readonly answer: StateAnswer }
  | { readonly kind: 'queryFailed'; readonly id: number; readonly error: ErrorReport }
  /** The states are closed. */
  | { readonly kind: 'released' }
  | { readonly kind: 'stopped' }
