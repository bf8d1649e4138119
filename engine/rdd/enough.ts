// Stops a push-style computation: the sink of an action that has enough elements throws `enough`,
// and the action catches it. Operators let it pass like any error; no function of the job is on the
// stack in between, so none can catch it.

export const enough = new Error('the action has enough elements')
