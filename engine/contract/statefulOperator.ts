// The description of a stateful operator in the offset log. On a restart it is compared with the
// operator of the same uid in the current code. State must never be given to an operator that would
// misinterpret it.

import type { StateCodec } from '../state/stateCodec.ts'

/** The part of a stateful operator that is written to the offset log. */
export interface OperatorContract {
  /** Names the state; unique in the job. */
  readonly uid: string
  /** Whether the job gave the uid; otherwise it is derived from kind and position in the graph. */
  readonly isNamed: boolean
  /** The operator: `updateStateByKey`, `sessions`. */
  readonly kind: string
  /** Parameters that the meaning of the state depends on, as text: `window 10000 1000`. */
  readonly shape: string
  /** Name of the codec of its values. */
  readonly codec: string
}

export interface StatefulOperator extends OperatorContract {
  /** The codec itself; undefined for the default one. */
  readonly stateCodec?: StateCodec | undefined
  /** Returns the part of a stored value that queries show; all of it by default. */
  readonly shown?: (stored: unknown) => unknown
}

/** Returns the part of an operator that is written to the offset log. */
export function contractOf(operator: OperatorContract): OperatorContract {
  const { uid, isNamed, kind, shape, codec } = operator
  return { uid, isNamed, kind, shape, codec }
}

/** A `withWatermark` of the job, or a union of several. */
export interface WatermarkSpec {
  /** Unique among the watermarks of the job. */
  readonly uid: string
  /** Allowed disorder: how far the watermark stays behind the largest event time, in ms. */
  readonly delayMs: number
  /**
   * Nominal time without records after which a partition that is read to its end counts as idle, in
   * ms.
   */
  readonly idleTimeoutMs: number
  /** Topics that its rows come from; empty for a union. */
  readonly topics: readonly string[]
  /** For a union: uids of its watermarks. Those whose topics are all idle do not hold it back. */
  readonly of?: readonly string[]
}
