// Every API in every advertised version: a plain request gets an answer that its version can
// encode. A failure here would close the connection of a client that no other test uses.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import { apiByKey } from '../../../protocol/kafka/apis.ts'
import type { Api } from '../../../protocol/kafka/schema/schema.ts'
import { MemoryBroker, type RawClient } from './memoryBroker.ts'
import { sampleRequests } from './sampleRequests.ts'

describe('every advertised version', () => {
  let broker: MemoryBroker
  let client: RawClient

  beforeAll(async () => {
    broker = await MemoryBroker.start()
    client = await broker.client()
  })

  afterAll(() => broker.stop())

  it('is answered', async () => {
    const { apiKeys } = await client.send(apiVersions, 0, {})
    expect(apiKeys.map(({ apiKey }) => apiByKey(apiKey)!.name).sort()).toEqual(
      Object.keys(sampleRequests).sort(),
    )
    for (const { apiKey, minVersion, maxVersion } of apiKeys) {
      const api: Api = apiByKey(apiKey)!
      expect(minVersion).toBe(api.advertisedMinVersion)
      for (let version = minVersion; version <= maxVersion; version++) {
        const request = sampleRequests[api.name]!(version)
        const answer = await client.send(api, version, request).catch((error: Error) => error)
        expect(answer, `${api.name} v${version}`).not.toBeInstanceOf(Error)
      }
    }
  })
})
