// Parsers of command-line option values, shared by several programs. They throw
// InvalidArgumentError.

import { InvalidArgumentError } from 'commander'

/** Parses a TCP port; 0 selects a free one. */
export function port(text: string): number {
  const value = Number(text)
  if (/^\d{1,5}$/.test(text) && value <= 65_535) return value
  throw new InvalidArgumentError('expected a port from 1 to 65535, or 0 for a free port.')
}

/** Parses an integer of at least 1. */
export function positive(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value > 0 && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('expected an integer of at least 1.')
}

const sizeUnits: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** Parses a size with an optional unit: 512k, 10m, 1g; 0 is valid. Returns bytes. */
export function sizeInBytes(text: string): number {
  const [, number, unit] = /^(\d{1,12})(?:([kmg])b?)?$/i.exec(text) ?? []
  const bytes = Number(number) * (sizeUnits[unit?.toLowerCase() ?? ''] ?? 1)
  if (Number.isSafeInteger(bytes)) return bytes
  throw new InvalidArgumentError('expected a size in bytes, or with a unit: 512k, 10m, 1g.')
}

const secondMs = 1_000
const timeUnits: Readonly<Record<string, number>> = {
  s: secondMs,
  m: 60 * secondMs,
  h: 60 * 60 * secondMs,
  d: 24 * 60 * 60 * secondMs,
}

/** Parses a duration with its unit: 30m, 12h, 7d. Returns ms. */
export function duration(text: string): number {
  const [, number, unit] = /^(\d{1,9})([smhd])$/i.exec(text) ?? []
  const ms = Number(number) * (timeUnits[unit?.toLowerCase() ?? ''] ?? Number.NaN)
  if (Number.isSafeInteger(ms) && ms > 0) return ms
  throw new InvalidArgumentError('expected a time with its unit: 30m, 12h, 7d.')
}
