// Functions that nearly every job needs.

/** For reduceByKey: the sum of two values. */
export function sum(left: number, right: number): number {
  return left + right
}

/** The inverse of `sum`, for windows. */
export function subtract(total: number, leaving: number): number {
  return total - leaving
}

/** For updateStateByKey: a running total. A key is kept forever. */
export function add(values: readonly number[], total: number | undefined): number {
  return values.reduce(sum, total ?? 0)
}

/** Converts seconds to milliseconds, the unit of windows. */
export function seconds(count: number): number {
  return count * 1000
}
