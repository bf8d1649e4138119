// Formats an Error as a field of a log line. An operational failure
// (protocol/runtime/operational.ts) is logged as code and message, since its stack does not help
// the operator; any other error is a bug, and is logged with the stacks of all its causes.

import { isOperational } from '../../runtime/operational.ts'

/** Longer or circular chains of causes are cut here. */
const mostCauses = 10

/**
 * Returns the fields of an Error: its class as `type`, its `code`, the messages of the error and
 * its causes as `message` (one that repeats its cause is not repeated), the stack frames without
 * the message as `stack`, and other fields such as a topic or a path. Any value other than an Error
 * is returned unchanged.
 */
export function loggedError(value: unknown): unknown {
  if (!(value instanceof Error)) return value
  const chain = causesOf(value)
  const stack = chain.filter((link) => !isOperational(link)).map(framesOf)
  const code = codeOf(value)
  return {
    ...otherFields(value),
    type: value.constructor.name,
    ...(code !== undefined && { code }),
    message: joinedMessages(chain),
    ...(value instanceof AggregateError && { errors: value.errors.map(loggedError) }),
    ...(stack.length > 0 && { stack: stack.join('\ncaused by:\n') }),
  }
}

/** The error and its causes, outermost first. */
function causesOf(error: Error): Error[] {
  const chain: Error[] = []
  for (let link: unknown = error; link instanceof Error && chain.length < mostCauses; ) {
    if (chain.includes(link)) break
    chain.push(link)
    link = link.cause
  }
  return chain
}

function joinedMessages(chain: readonly Error[]): string {
  let joined = ''
  for (const { message } of chain) {
    if (message === '' || joined.includes(message)) continue
    joined = joined === '' ? message : `${joined}: ${message}`
  }
  return joined
}

/** Stack frames, without the message that V8 prepends. */
function framesOf({ stack = '' }: Error): string {
  const at = stack.search(/^ {4}at /m)
  return at === -1 ? stack : stack.slice(at).replace(/^ +/gm, '')
}

function codeOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' || typeof code === 'number' ? String(code) : undefined
}

/** Own fields that can be logged; nested Errors are formatted the same way. */
function otherFields(error: Error): Record<string, unknown> {
  const fields = Object.entries(error).filter(
    ([name]) => !/^(?:cause|errors|message|stack)$/.test(name),
  )
  return Object.fromEntries(fields.map(([name, value]) => [name, loggedError(value)]))
}
