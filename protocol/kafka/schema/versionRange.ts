// Version ranges in the notation of the protocol's documents: '0+', '3', '0-12'.

import { assert } from '../../runtime/assert.ts'

export interface VersionRange {
  /** As written in the table. */
  readonly text: string
  readonly from: number
  /** Inclusive; Infinity for an open range. */
  readonly to: number
}

/** The range that holds no version. */
export const noVersions: VersionRange = { text: 'none', from: Infinity, to: -Infinity }

export function versionRange(text: string): VersionRange {
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text)
  assert(match !== null, `not a version range: '${text}'`)
  const from = Number(match[1])
  const to = match[2] === '+' ? Infinity : Number(match[3] ?? from)
  assert(from <= to, `empty version range: '${text}'`)
  return { text, from, to }
}

export function includes(range: VersionRange, version: number): boolean {
  return version >= range.from && version <= range.to
}
