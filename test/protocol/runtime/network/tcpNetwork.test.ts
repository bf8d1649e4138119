import { expect, test } from 'vitest'
import { NetworkError } from '../../../../protocol/runtime/network/network.ts'
import { hostPort } from '../../../../protocol/runtime/network/networkErrors.ts'
import { tcpNetwork } from '../../../../protocol/runtime/network/tcpNetwork.ts'
import { networkConformance } from './networkConformance.ts'

networkConformance('tcpNetwork', () => ({
  client: tcpNetwork,
  server: tcpNetwork,
  close() {},
}))

test('an unknown host name fails with ADDRESS_NOT_AVAILABLE', async () => {
  const failure = await tcpNetwork
    .connect({ host: 'no-such-host.invalid', port: 9 }, 5000)
    .catch((error) => error)
  expect(failure).toBeInstanceOf(NetworkError)
  expect(failure.code).toBe('ADDRESS_NOT_AVAILABLE')
  expect(failure.message).toContain('no-such-host.invalid:9')
})

test('listening on an address of another host fails with ADDRESS_NOT_AVAILABLE', async () => {
  const failure = await tcpNetwork
    .listen({ host: '192.0.2.1', port: 0 }, () => {})
    .catch((error) => error)
  expect(failure).toBeInstanceOf(NetworkError)
  expect(failure.code).toBe('ADDRESS_NOT_AVAILABLE')
})

test('an IPv6 host is formatted in brackets', () => {
  expect(hostPort({ host: '::1', port: 9092 })).toBe('[::1]:9092')
})
