// What a topic may be called: Kafka's rules, so that a name made here works there.

const maxNameLength = 249
const allowed = /^[a-zA-Z0-9._-]+$/

/** Why the name cannot be a topic's, in words for the client; undefined when it can. */
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
 * Names that differ only in "." and "_" are one name in metrics, so Kafka does not let both exist.
 * Two names collide when their keys are equal.
 */
export function collisionKey(name: string): string {
  return name.replaceAll('.', '_')
}
