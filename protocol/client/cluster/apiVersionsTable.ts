// The API versions of one broker, from its ApiVersions response. Selects the version of a request:
// the newest one that broker and client both support.

import type { apiVersions } from '../../kafka/apis/apiVersions.ts'
import type { Api, ResponseOf } from '../../kafka/schema/schema.ts'
import { ClientError } from '../clientError.ts'

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
   * Returns the newest common version up to `atMost`. Throws a ClientError NO_COMMON_VERSION, which
   * names the ranges of both sides.
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
