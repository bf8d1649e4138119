// Values of command-line options that several programs take, checked where they are given.

import { InvalidArgumentError } from 'commander'

/** A TCP port; 0 takes a free one. */
export function port(text: string): number {
  const value = Number(text)
  if (/^\d{1,5}$/.test(text) && value <= 65_535) return value
  throw new InvalidArgumentError('give a port from 1 to 65535, or 0 for a free one.')
}

/** A whole number of at least 1. */
export function positive(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value > 0 && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('give a whole number of at least 1.')
}
