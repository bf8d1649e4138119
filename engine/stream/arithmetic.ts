// The functions that nearly every job wants to name.

/** For reduceByKey: the sum of two values. */
export function sum(left: number, right: number): number {
  return left + right
}

/** The inverse of `sum`, for windows. */
export function subtract(total: number, leaving: number): number {
  return total - leaving
}

/** For updateStateByKey: a running total. A key stays once it has been seen. */
export function add(values: readonly number[], total: number | undefined): number {
  return values.reduce(sum, total ?? 0)
}

/** In milliseconds, as windows are given. */
export function seconds(count: number): number {
  return count * 1000
}
