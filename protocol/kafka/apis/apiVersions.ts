// The APIs and versions that a broker supports: the first request of every connection. Its response
// always has header version 0; a request in an unknown version is answered in version 0 with
// UNSUPPORTED_VERSION (KIP-511).

import { array, bool, int16, int32, int64, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const apiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: '0-4',
  flexibleFrom: 3,
  request: {
    clientSoftwareName: string('3+', { ignorable: true }),
    clientSoftwareVersion: string('3+', { ignorable: true }),
  },
  response: {
    errorCode: int16('0+'),
    apiKeys: array('0+', {
      apiKey: int16('0+'),
      minVersion: int16('0+'),
      maxVersion: int16('0+'),
    }),
    throttleTimeMs: int32('1+', { default: 0, ignorable: true }),
    supportedFeatures: array(
      '3+',
      {
        name: string('3+'),
        minVersion: int16('3+'),
        maxVersion: int16('3+'),
      },
      { tag: 0, ignorable: true },
    ),
    finalizedFeaturesEpoch: int64('3+', { default: -1, tag: 1, ignorable: true }),
    finalizedFeatures: array(
      '3+',
      {
        name: string('3+'),
        maxVersionLevel: int16('3+'),
        minVersionLevel: int16('3+'),
      },
      { tag: 2, ignorable: true },
    ),
    zkMigrationReady: bool('3+', { default: false, tag: 3, ignorable: true }),
  },
})
