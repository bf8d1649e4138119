// An Error as a field of a log line. An operational failure (protocol/runtime/operational.ts) is logged
// as its code and its message, since its stack says nothing to the operator; anything else is a bug,
// and keeps the stack of every link of its chain of causes.

import { isOperational } from '../runtime/operational.ts'

/** A chain of causes that is longer, or goes round, is cut here. */
const mostCauses = 10

export interface LoggedError {
  readonly type: string
  readonly code?: string
  /** The messages of the error and its causes; one that repeats its cause is not joined to it. */
  readonly message: string
  /** Frames only: the message is not said twice. */
  readonly stack?: string
  /** What else the error carries, such as a topic or a path. */
  readonly [field: string]: unknown
}

/** Any other value than an Error is returned as it is. */
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

/** The stack's frames, without the message that V8 puts before them. */
function framesOf({ stack = '' }: Error): string {
  const at = stack.search(/^ {4}at /m)
  return at === -1 ? stack : stack.slice(at).replace(/^ +/gm, '')
}

function codeOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' || typeof code === 'number' ? String(code) : undefined
}

/** Own fields that a log line can hold; an Error among them is written as one. */
function otherFields(error: Error): Record<string, unknown> {
  const fields = Object.entries(error).filter(
    ([name]) => !/^(?:cause|errors|message|stack)$/.test(name),
  )
  return Object.fromEntries(fields.map(([name, value]) => [name, loggedError(value)]))
}
