// Push-style evaluation: a sink receives the elements of a computation, one plain function call
// each.
//
// A computation is stopped by its sink: the sink of an action that has enough elements throws
// `enough`, and the action catches it. Operators let it pass like any error; no function of the job
// is on the stack in between, so none can catch it.

export type Sink<T> = (element: T) => void

export const enough = new Error('the action has enough elements')
