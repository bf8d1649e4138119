// Network namespaces connected by a bridge, one for each server of a test, so that servers can be
// cut off from each other. Needs root and `ip`; `remove` removes all that was created.

import { spawnSync } from 'node:child_process'

/** Whether namespaces can be created here. */
export function hasNetworkNamespaces(): boolean {
  if (process.getuid?.() !== 0) return false
  const name = `mr${process.pid}p`
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return false
  const bridge = spawnSync('ip', ['link', 'add', `${name}b`, 'type', 'bridge']).status === 0
  if (bridge) spawnSync('ip', ['link', 'del', `${name}b`])
  spawnSync('ip', ['netns', 'del', name])
  return bridge
}

export class NetworkNamespaces {
  readonly addresses: readonly string[]
  readonly #prefix: string
  readonly #bridge: string

  private constructor(prefix: string, addresses: readonly string[]) {
    this.#prefix = prefix
    this.#bridge = `${prefix}b`
    this.addresses = addresses
  }

  /** The host itself has an address on the bridge, so that clients outside reach all servers. */
  static create(count: number): NetworkNamespaces {
    // Names of interfaces have at most 15 characters; the network is one that nobody else uses.
    const prefix = `mr${process.pid}`
    const network = `10.213.${process.pid % 250}`
    const addresses = Array.from({ length: count }, (_, index) => `${network}.${index + 2}`)
    const namespaces = new NetworkNamespaces(prefix, addresses)
    namespaces.remove()
    try {
      namespaces.#createAll(network)
    } catch (error) {
      namespaces.remove()
      throw error
    }
    return namespaces
  }

  /** The command that runs `command` in the namespace of a server. */
  inside(index: number, command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.#namespace(index), ...command]
  }

  cutOff(index: number): void {
    ip('link', 'set', this.#outer(index), 'down')
  }

  heal(index: number): void {
    ip('link', 'set', this.#outer(index), 'up')
  }

  /** The servers cannot hear each other; both are reached from outside. */
  separate(index: number, other: number): void {
    for (const [from, to] of bothWays(index, other)) {
      ip('-n', this.#namespace(from), 'route', 'add', 'blackhole', `${this.addresses[to]}/32`)
    }
  }

  join(index: number, other: number): void {
    for (const [from, to] of bothWays(index, other)) {
      ip('-n', this.#namespace(from), 'route', 'del', 'blackhole', `${this.addresses[to]}/32`)
    }
  }

  remove(): void {
    for (const index of this.addresses.keys()) {
      spawnSync('ip', ['link', 'del', this.#outer(index)])
      spawnSync('ip', ['netns', 'del', this.#namespace(index)])
    }
    spawnSync('ip', ['link', 'del', this.#bridge])
  }

  #createAll(network: string): void {
    ip('link', 'add', this.#bridge, 'type', 'bridge')
    ip('addr', 'add', `${network}.1/24`, 'dev', this.#bridge)
    ip('link', 'set', this.#bridge, 'up')
    for (const [index, address] of this.addresses.entries()) {
      const [name, outer, inner] = [this.#namespace(index), this.#outer(index), 'eth0']
      ip('netns', 'add', name)
      ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', name)
      ip('link', 'set', outer, 'master', this.#bridge)
      ip('link', 'set', outer, 'up')
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', inner)
      ip('-n', name, 'link', 'set', inner, 'up')
      ip('-n', name, 'link', 'set', 'lo', 'up')
    }
  }

  #namespace(index: number): string {
    return `${this.#prefix}n${index}`
  }

  #outer(index: number): string {
    return `${this.#prefix}v${index}`
  }
}

function bothWays(index: number, other: number): [number, number][] {
  return [
    [index, other],
    [other, index],
  ]
}

function ip(...words: string[]): void {
  const { status, stderr } = spawnSync('ip', words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${words.join(' ')} failed: ${stderr}`)
}
