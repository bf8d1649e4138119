// The rules for topic names, which are Kafka's: every name allowed here works with Kafka.

const maxNameLength = 249
const allowed = /^[a-zA-Z0-9._-]+$/

/** Why the name is invalid, as a message for the client; undefined if it is valid. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'a topic name must not be empty'
  if (name === '.' || name === '..') return `a topic name must not be "${name}"`
  if (name.length > maxNameLength) return `a topic name has at most ${maxNameLength} characters`
  if (!allowed.test(name)) {
    return `"${name.slice(0, 60)}": a topic name consists of letters, digits, ".", "_" and "-"`
  }
  return undefined
}

/**
 * Two names collide when their keys are equal. Names that differ only in "." and "_" are the same
 * name in Kafka's metrics, so Kafka refuses the second.
 */
export function collisionKey(name: string): string {
  return name.replaceAll('.', '_')
}
