// The full name of the host, from resolvers that know it, do not know it, or do not answer.

import { expect, test } from 'vitest'
import { fullHostName, type HostResolver } from '../../../../protocol/runtime/network/hostName.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'
import { drive } from '../../client/drive.ts'

const never = new Promise<never>(() => {})

function nameFrom(resolver: Partial<HostResolver>): Promise<string> {
  const clock = new ManualClock()
  const name = fullHostName(clock, {
    hostname: () => 'web-01',
    lookup: async () => ({ address: '10.0.0.1' }),
    lookupService: async () => ({ hostname: 'web-01.example.org' }),
    ...resolver,
  })
  return drive(clock, name)
}

test.each<[string, Partial<HostResolver>, string]>([
  ['a name in a domain', {}, 'web-01.example.org'],
  ['the name of localhost', { lookupService: async () => ({ hostname: 'localhost' }) }, 'web-01'],
  ['no address', { lookup: () => Promise.reject(new Error('ENOTFOUND')) }, 'web-01'],
  ['no name', { lookupService: () => Promise.reject(new Error('ENOTFOUND')) }, 'web-01'],
  ['no answer', { lookup: () => never }, 'web-01'],
  [
    'a name that is full already',
    { hostname: () => 'Web-01.lan', lookup: () => never },
    'Web-01.lan',
  ],
])('with %s', async (_, resolver, name) => {
  expect(await nameFrom(resolver)).toBe(name)
})
