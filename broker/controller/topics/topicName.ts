// The rules for topic names: Kafka's, so that every name allowed here works with Kafka.

const maxNameLength = 249
const allowed = /^[a-zA-Z0-9._-]+$/

/** Why the name is invalid, as a message for the client; undefined when it is valid. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'a topic needs a name'
  if (name === '.' || name === '..') return `a topic cannot be called "${name}"`
  if (name.length > maxNameLength) return `a topic's name has at most ${maxNameLength} characters`
  if (!allowed.test(name)) {
    return `"${name.slice(0, 60)}": a topic's name has letters, digits, ".", "_" and "-" only`
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
