// The contract of a stateful operator, from what the job says of it.

import type { StatefulOperator } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import type { StateCodec } from '../state/stateCodec.ts'
import { v8Codec } from '../state/v8Codec.ts'
import type { StreamBuilder } from './dstream.ts'

/** What every operator that keeps state can be told. */
export interface OperatorOptions {
  /** Names the state, so that it is found again when the job's code has changed around it. */
  readonly uid?: string
  /**
   * Part of what the state is known by, 0 unless given: raise it when the meaning of the state changes. A
   * state of another version is refused when the job starts, in place of being misread.
   */
  readonly version?: number
}

/** Of an operator that goes by event time. */
export interface EventOperatorOptions extends OperatorOptions {
  /**
   * Uids of its watermarks. They are a part of its shape: by another watermark, windows that are over could
   * begin again, and rows that are on time could be late.
   */
  readonly watermarks: readonly string[]
}

export function statefulContract(
  builder: StreamBuilder,
  kind: string,
  options: OperatorOptions & {
    /** What the meaning of the state depends on besides the kind: `window 10000 1000`. */
    readonly shape?: string | undefined
    readonly codec?: StateCodec | undefined
    readonly watermarks?: readonly string[]
  },
): StatefulOperator {
  const { uid, version = 0, shape, codec, watermarks } = options
  if (!Number.isSafeInteger(version) || version < 0) {
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      `${kind} takes its version as a whole number from 0 on, not ${version}`,
    )
  }
  return {
    uid: builder.stateUid(kind, uid),
    isNamed: uid !== undefined,
    kind,
    shape: [
      shape,
      watermarks && `by ${watermarks.toSorted().join()}`,
      version === 0 ? undefined : `version ${version}`,
    ]
      .filter((part) => part !== undefined)
      .join(' '),
    codec: (codec ?? v8Codec).name,
    stateCodec: codec,
  }
}
