// A benchmark of a wrong result would be worth nothing: what was counted is compared with what the
// baseline counted in the same lines.

import { deepStrictEqual } from 'node:assert/strict'
import type { Demographics } from './orderFile.ts'

/** Throws an AssertionError that shows the difference. */
export function requireSameDemographics(counted: Demographics, expected: Demographics): void {
  deepStrictEqual({ ...counted }, { ...expected })
}
