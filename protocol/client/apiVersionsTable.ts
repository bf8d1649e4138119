// What one broker speaks, as it told in its ApiVersions answer, and which version of an API to use
// with it: the newest that both sides know.

import type { apiVersions } from '../kafka/apis/apiVersions.ts'
import type { Api, ResponseOf } from '../kafka/schema.ts'
import { ClientError } from './clientError.ts'

interface Range {
  readonly minVersion: number
  readonly maxVersion: number
}

export class ApiVersionsTable {
  readonly #ranges: ReadonlyMap<number, Range>
  readonly #broker: string

  constructor(broker: string, answer: ResponseOf<typeof apiVersions>) {
    this.#broker = broker
    this.#ranges = new Map(answer.apiKeys.map((range) => [range.apiKey, range]))
  }

  /**
   * The newest common version, not above `atMost`. Throws a ClientError that names both sides'
   * ranges when there is none.
   */
  versionOf(api: Api, atMost = Infinity): number {
    const version = this.#common(api, atMost)
    if (version !== undefined) return version
    const range = this.#ranges.get(api.key)
    const ours = Math.min(api.maxVersion, atMost)
    const theirs = range === undefined ? 'none' : `${range.minVersion} to ${range.maxVersion}`
    throw new ClientError(
      'NO_COMMON_VERSION',
      `${this.#broker} speaks ${theirs} of ${api.name}, this client ${api.minVersion} to ${ours}: upgrade the older side`,
    )
  }

  supports(api: Api): boolean {
    return this.#common(api, Infinity) !== undefined
  }

  #common(api: Api, atMost: number): number | undefined {
    const range = this.#ranges.get(api.key)
    if (range === undefined) return undefined
    const version = Math.min(api.maxVersion, atMost, range.maxVersion)
    return version >= Math.max(api.minVersion, range.minVersion) ? version : undefined
  }
}
