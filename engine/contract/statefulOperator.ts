// A stateful operator as the offset log names it. On a restart it is compared with the operator of the
// same uid in the code of now: state is never given to an operator that would take it for something else.

import type { StateCodec } from '../state/stateCodec.ts'

/** The part of a stateful operator that is written into the offset log. */
export interface OperatorContract {
  /** Names the state; unique in the job. */
  readonly uid: string
  /** Whether the job gave the uid; otherwise it is made of the kind and the place in the graph. */
  readonly isNamed: boolean
  /** The operator: `updateStateByKey`, `sessions`. */
  readonly kind: string
  /** What the meaning of the state depends on besides the kind, as text: `window 10000 1000`. */
  readonly shape: string
  /** Name of the codec of its values. */
  readonly codec: string
}

export interface StatefulOperator extends OperatorContract {
  /** The codec itself; undefined for the default one. */
  readonly stateCodec?: StateCodec | undefined
  /** What a query of the state shows of a stored value; all of it unless given. */
  readonly shown?: (stored: unknown) => unknown
}

/** What of an operator goes into the offset log. */
export function contractOf(operator: OperatorContract): OperatorContract {
  const { uid, isNamed, kind, shape, codec } = operator
  return { uid, isNamed, kind, shape, codec }
}

/** A `withWatermark` of the job, or the union of several. */
export interface WatermarkSpec {
  /** Unique among the watermarks of the job. */
  readonly uid: string
  /** How far a watermark stays behind the largest event time, in ms: the disorder that is allowed. */
  readonly delayMs: number
  /** After so long without a record, in nominal time, a partition that is read to its end holds nothing up. */
  readonly idleTimeoutMs: number
  /** Topics that its rows come from; none of a union. */
  readonly topics: readonly string[]
  /** Of a union: uids of the watermarks that it is made of. Those whose topics are all idle do not hold it up. */
  readonly of?: readonly string[]
}
