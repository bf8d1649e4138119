// How an action that has what it wants ends a computation that pushes: its sink throws `enough`, and
// the action catches it. Operators let it pass as they let any error pass; a job's own functions are
// never called on the way, so none can catch it.

export const enough = new Error('the action has all the elements that it wants')
