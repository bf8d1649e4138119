// Builds the contract of a stateful operator from the options of the job.

import type { StatefulOperator } from '../../contract/statefulOperator.ts'
import { EngineError } from '../../engineError.ts'
import type { StateCodec } from '../../state/stateCodec.ts'
import { v8Codec } from '../../state/v8Codec.ts'
import type { StreamBuilder } from '../streamPlan.ts'

/** Options common to all stateful operators. */
export interface OperatorOptions {
  /** Names the state, so that it is found again after the code around the operator has changed. */
  readonly uid?: string
  /**
   * Version of the state's meaning, 0 by default: raise it when the meaning changes. A state of
   * another version is rejected when the job starts, instead of being misread.
   */
  readonly version?: number
}

/** Options of an event time operator. */
export interface EventOperatorOptions extends OperatorOptions {
  /**
   * Uids of its watermarks. Part of its shape: under another watermark, closed windows could
   * reopen, and rows that are on time could be late.
   */
  readonly watermarks: readonly string[]
}

export function statefulContract(
  builder: StreamBuilder,
  kind: string,
  options: OperatorOptions & {
    /** Parameters that the meaning of the state depends on: `window 10000 1000`. */
    readonly shape?: string | undefined
    readonly codec?: StateCodec | undefined
    readonly watermarks?: readonly string[]
  },
): StatefulOperator {
  const { uid, version = 0, shape, codec, watermarks } = options
  if (!Number.isSafeInteger(version) || version < 0) {
    throw new EngineError(
      'JOB_GRAPH_INVALID',
      `the version of ${kind} must be an integer of at least 0, not ${version}`,
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
